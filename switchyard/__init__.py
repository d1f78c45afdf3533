"""What a user imports: the job builder, the client, and what a task sees of itself."""
