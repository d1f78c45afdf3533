"""The records in memory: dicts and index sets, for tests and simulations."""
