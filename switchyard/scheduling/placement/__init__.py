"""Placement: which node takes how many of a stage's alike tasks. One strategy a file; `base` lists them."""
