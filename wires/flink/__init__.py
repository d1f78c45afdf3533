"""Flink's monitoring REST API in the shapes of 1.5 and 1.6, at the root and under /v1, with additions for later clients.

A job is a job, a stage a vertex, a task a subtask, a node a taskmanager. Not covered yet: rescaling,
which answers as in a cluster without it (docs/wires.md).
"""
