"""What follows from what happened to jobs, stages, tasks and nodes: rules over a unit of work, without I/O."""
