"""Start an agent: `python -m switchyard.agent --help`."""

import typer

from switchyard import plain

plain.load("httpx", "structlog")

from switchyard.agent.main import main  # noqa: E402  only now

if __name__ == "__main__":
    typer.run(main)
