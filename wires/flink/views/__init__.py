"""Flink's routes: decode, call readers or one command, encode. One file for each part of its documentation."""
