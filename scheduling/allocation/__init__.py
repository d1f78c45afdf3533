"""Allocation: in which order requests are served and how many tasks each may run. `base` lists the algorithms."""
