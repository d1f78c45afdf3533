"""The life of jobs, stages and tasks: what follows from what happened. Pure: records are asked for and written by a port."""
