"""Deletion of what was kept for long enough."""
