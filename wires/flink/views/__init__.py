"""Flink's routes: parse, ask selectors or one service, encode. A file for each part of its documentation."""
