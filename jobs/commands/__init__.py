"""Commands of people on jobs: submit, cancel, drain, retry, release, delete."""
