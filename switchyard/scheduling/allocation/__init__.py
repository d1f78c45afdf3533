"""Allocation: who is served first, and how many tasks each may run. `base` lists the algorithms."""
