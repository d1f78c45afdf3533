"""Graphs of jobs as pictures."""
