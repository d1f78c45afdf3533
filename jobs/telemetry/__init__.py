"""Metrics of the main path."""
