"""The rules give the same answers on PostgreSQL and in memory: random histories on both, compared after each step."""

import uuid
from random import Random

import pytest
import redis

from artifacts.storage import Storage
from tests.lifecycle.histories import History
from tests.lifecycle.shapes import CHARACTERS

STEPS = 80


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("character", CHARACTERS)
def test_a_random_history_is_the_same_in_sql_and_in_memory(
    transactional_db: None, broker: redis.Redis, kept: Storage, monkeypatch: pytest.MonkeyPatch, character: str, seed: int
) -> None:
    drawn = Random(seed)
    # What is done in the order of jobs' ids is then the same in each run of a seed.
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=drawn.getrandbits(128), version=4))
    history = History(CHARACTERS[character], seed)
    for _ in range(STEPS):
        history.step()
