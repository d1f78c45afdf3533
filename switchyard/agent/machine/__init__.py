"""The machine that an agent runs on: what it has, what it uses, what is wrong with it."""
