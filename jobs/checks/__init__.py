"""What `manage.py fsck` and the tests hold the database to."""
