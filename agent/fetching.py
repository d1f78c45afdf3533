"""Fetching: what is too large for a message comes over HTTP, in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from agent.entries import Inputs


class Fetcher:
    """Fetches from the server in the background."""

    def __init__(self, server: str) -> None:
        self._client = httpx.Client(base_url=server, timeout=30)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="fetch")

    def fetch(self, stage: int, done: Callable[[Inputs], None]) -> None:
        """Fetch the inputs of a stage and hand them over."""
        self._threads.submit(self._fetch, stage, done)

    def _fetch(self, stage: int, done: Callable[[Inputs], None]) -> None:
        answer = self._client.get(f"/api/v1/agent/inputs/{stage}").raise_for_status()
        done({int(producer): texts for producer, texts in answer.json().items()})
