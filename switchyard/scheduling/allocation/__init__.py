"""Allocation: in which order the jobs of a pool are served, and how many tasks each may have. `base` lists the algorithms."""
