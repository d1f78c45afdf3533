"""Workloads that measure Switchyard, each beside a reference run in the same call."""
