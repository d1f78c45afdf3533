"""From what we know to what Ballista's clients read: its field names, its types, its null and its absent. Pure.

All times are milliseconds since 1970, 0 for what has not happened.
"""
