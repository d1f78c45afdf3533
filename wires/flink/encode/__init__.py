"""From our values to answers for Flink's clients: its field names, its types, its -1, 0 and null. Pure.

All times are milliseconds since 1970. The shapes are the new ones; `legacy` makes the older ones of them.
"""
