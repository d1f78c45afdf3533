"""Jobs and their execution: job types, jobs, stages, tasks, attempts, and the main path."""
