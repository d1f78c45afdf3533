"""The API of jobs: what /api/v1/ tells of jobs, stages, tasks, job types and events."""
