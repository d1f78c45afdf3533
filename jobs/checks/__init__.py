"""Checks of the database by `manage.py fsck` and the tests."""
