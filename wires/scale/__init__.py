"""The scheduler, status, version and node services of NGA Scale, in two shapes that are never mixed.

At the root, /v4 and /v5: the services of Scale 3 to 5.1. At /v6: those of 5.5. Covered: scheduler, status, nodes (v5 and
v6) and version (v6). Not covered: jobs, job types, recipes, ingest and files; our own API has what of these is ours.
What differs on purpose is in docs/wires.md.
"""
