"""Run an `async def` task to its end, and cancel it with asyncio. Runs in workers."""

from collections.abc import Callable, Coroutine
from typing import Any

from switchyard import task as tasks


def _raise() -> None:
    raise tasks.Canceled


#: How the running task is asked to end; called in a signal handler.
cancel: Callable[[], None] = _raise


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in an event loop of its own, and return its result."""
    # Few workers need it, and it takes longer to load than a worker to start.
    import asyncio

    async def run() -> Any:
        global cancel  # noqa: PLW0603
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def ask() -> None:
            loop.call_soon_threadsafe(task.cancel) if task else None

        cancel = ask
        try:
            return await coroutine
        finally:
            cancel = _raise

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        tasks.current().check()
        raise
