"""Bytes that are too many for rows: results and files by digest, logs by attempt. Artifacts are kept behind one interface."""
