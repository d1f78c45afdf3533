"""The rows of the main path: read once a transaction, changed in memory, written set by set."""
