"""What people do to jobs: submit, cancel, drain, retry, release, delete."""
