"""Bytes that are too large for a row: results, logs and files, behind one storage interface."""
