"""What runs in a worker process: tasks, and what they may see and leave."""
