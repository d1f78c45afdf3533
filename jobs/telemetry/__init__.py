"""Figures of the main path, for metrics."""
