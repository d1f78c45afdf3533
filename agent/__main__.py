"""Start an agent: `python -m agent --help`."""

import typer

from agent.running import main

if __name__ == "__main__":
    typer.run(main)
