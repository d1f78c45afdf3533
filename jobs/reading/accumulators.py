"""Sums of the accumulators of stages; switchyard.scheduling.accumulators defines the kinds."""

from database import rows
from switchyard.scheduling.accumulators import KINDS, Accumulator, Kind, Part, merged

#: The kinds of which all parts are whole numbers. A sum of others may be larger than any float8: it is infinite then.
_WHOLE = (Kind.INT, Kind.LONG, Kind.HISTOGRAM)
_OBJECT = "CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} END"
_ARRAY = "CASE WHEN jsonb_typeof({0}) = 'array' THEN {0} END"
_NUMBER = "CASE WHEN jsonb_typeof(a.value) = 'number' THEN (a.value #>> '{}')::numeric END"
_SUMS = f"""SELECT a.key, jsonb_typeof(a.value), sum({_NUMBER})::text,
    bool_and(a.value::text !~ '[.eE]')
    FROM jobs_task t, jsonb_each({_OBJECT.format("t.accumulators")}) a
    WHERE t.stage_id = ANY(%s) AND t.accumulators IS NOT NULL AND jsonb_typeof(a.value) IN ('number', 'object')
    GROUP BY 1, 2"""
_PARTS = f"""SELECT a.key, k.key, p.key, sum((p.value #>> '{{}}')::numeric)::text
    FROM jobs_task t, jsonb_each({_OBJECT.format("t.accumulators")}) a, jsonb_each({_OBJECT.format("a.value")}) k, LATERAL (
        SELECT '' AS key, k.value AS value
        UNION ALL SELECT number::text, value FROM jsonb_array_elements({_ARRAY.format("k.value")})
            WITH ORDINALITY AS e(value, number)
        UNION ALL SELECT key, value FROM jsonb_each({_OBJECT.format("k.value")})
    ) p WHERE t.stage_id = ANY(%s) AND t.accumulators IS NOT NULL AND jsonb_typeof(p.value) = 'number' GROUP BY 1, 2, 3"""


def accumulated(stages: list[int]) -> list[Accumulator]:
    """Return what the tasks of these stages have added up together, by name."""
    found = rows.fetch(_SUMS, [stages])
    parts = [
        Part(name, Kind.LONG if whole else Kind.DOUBLE, "", int(text) if whole else float(text))
        for name, type_, text, whole in found
        if type_ == "number"
    ]
    # Most tasks add plain numbers alone; taking apart what the others told takes longer.
    if any(type_ == "object" for _, type_, *_ in found):
        for name, kind, part, text in rows.fetch(_PARTS, [stages]):
            if kind in KINDS:
                whole = kind in _WHOLE and "." not in text
                parts.append(Part(name, KINDS[kind], part, int(text) if whole else float(text)))
    return merged(parts)
