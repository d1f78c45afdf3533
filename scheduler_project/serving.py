"""Serving: Granian's command line on our application, which is loaded once, before the workers are forked from it.

Each worker would load it anew, for seconds of its own, and none of its memory would be shared. A worker that fails is
there again at once.
"""

from granian.cli import entrypoint

from scheduler_project import asgi

__all__ = ["asgi"]

if __name__ == "__main__":
    entrypoint()  # type: ignore[no-untyped-call]  # by click
