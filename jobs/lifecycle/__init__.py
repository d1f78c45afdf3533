"""What follows when tasks begin and end: attempts, failures, stages, buffers."""
