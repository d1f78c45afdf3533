"""Foreign APIs on our jobs and nodes: each folder speaks one other system's HTTP, reads our truth and decides nothing.

The same file names in each: urls, views, decode, encode, states, errors. What they share is beside this file.
"""
