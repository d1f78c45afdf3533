"""From what we know to what Flink's clients read: its field names, its types, its -1, 0 and null. Pure.

All times are milliseconds since 1970. The shapes are the new ones; `legacy` makes the older ones of them.
"""
