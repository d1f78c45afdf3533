"""The leader without I/O: when it does what, and what it sends. Its surroundings are ports; jobs.leader has the real ones."""
