"""Start an agent: `python -m switchyard.agent --help`."""

import typer

from switchyard.agent.main import main

if __name__ == "__main__":
    typer.run(main)
