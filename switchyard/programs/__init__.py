"""Programs: archives that users upload, and the jobs that they describe. Server and agents read archives by the same code."""
