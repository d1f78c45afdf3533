"""The database as the main path uses it: SQL on whole sets of rows."""
