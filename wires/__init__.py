"""APIs of other systems on our jobs and nodes: each folder implements one, reads through our readers and decides nothing.

The same file names in each: urls, views, decode, encode, states, errors. What they share is beside this file.
"""
