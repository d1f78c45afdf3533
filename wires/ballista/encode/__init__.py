"""From our values to answers for Ballista's clients: its field names and types, null and absent as it has them. Pure.

All times are milliseconds since 1970, 0 for what has not happened.
"""
