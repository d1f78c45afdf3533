"""The agent's state machine: decides what an agent does, and leaves every process, file, socket and clock to its shell."""
