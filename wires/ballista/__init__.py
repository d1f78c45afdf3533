"""The REST API of Apache DataFusion Ballista's scheduler, in the shapes of release 54.1.0, below /api/.

Covered: every route of that release. A job is a job, a stage a stage, a task a partition, a node an executor, and a task's
result counts as one row. Not covered: gRPC, by which Ballista's own clients submit queries. Older and newer shapes are in
docs/wires.md, with what differs on purpose.
"""
