"""The records in SQL: what the rules of the life cycle ask and write (switchyard.scheduling.lifecycle.records)."""
