"""The agent's state machine: decides for the agent; its shell has the processes, files, sockets and clocks."""
