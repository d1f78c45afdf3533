"""The records in SQL: queries and writes of the rules of the life cycle (switchyard.scheduling.lifecycle.records)."""
