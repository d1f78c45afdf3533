"""The API of jobs: jobs, stages, tasks, job types and events under /api/v1/."""
