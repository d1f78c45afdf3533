"""Pointwise exchanges in SQL, by the definition of switchyard.scheduling.pointwise."""


def overlaps(index: str, width: str, other: str, others: str) -> str:
    """Return the condition that the share of task `other` of `others` overlaps that of task `index` of `width`."""
    return (
        f"{other} >= {index}::bigint * {others} / {width} "
        f"AND {other} < (({index} + 1)::bigint * {others} + {width} - 1) / {width}"
    )
