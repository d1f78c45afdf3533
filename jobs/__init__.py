"""What users submitted and its execution: job types, jobs, stages, tasks, attempts, and the path that moves them."""
