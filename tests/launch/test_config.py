"""The configuration of a stack: defaults, and odd values refused by name."""

import os

import pytest

from launch import config
from launch.errors import LaunchError


def test_nothing_given_means_one_private_stack_on_loopback() -> None:
    read = config.read({})
    assert (read.url, read.agents, read.data) == ("http://127.0.0.1:8000", 2, config.ROOT / ".switchyard")
    assert read.is_private


def test_machine_is_divided_among_its_agents() -> None:
    cores = len(os.sched_getaffinity(0))
    assert config.read({"AGENTS": "1"}).slots == cores
    assert config.read({"AGENTS": str(min(64, cores * 2))}).slots == 1
    assert config.read({"AGENTS": "1", "SLOTS": "7"}).slots == 7


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8e3", "eight", "٨٠٠٠"])
def test_odd_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(LaunchError, match=f"PORT={text} is not a number from 1 to 65535"):
        config.read({"PORT": text})


@pytest.mark.parametrize(
    "given",
    [
        {"DATABASE_URL": "postgresql://elsewhere/x"},
        {"REDIS_URL": "redis://elsewhere/0"},
        {"SWITCHYARD_LISTEN": "192.0.2.1"},
    ],
)
def test_stack_that_shares_anything_with_another_machine_is_not_private(given: dict[str, str]) -> None:
    assert not config.read(given).is_private


@pytest.mark.parametrize(
    ("listen", "url"), [("::1", "http://[::1]:8000"), ("::", "http://[::1]:8000"), ("0.0.0.0", "http://127.0.0.1:8000")]
)
def test_address_is_one_that_this_machine_reaches(listen: str, url: str) -> None:
    assert config.read({"SWITCHYARD_LISTEN": listen}).url == url


def test_empty_data_folder_is_the_default_and_not_the_repository() -> None:
    assert config.read({"DATA_DIR": ""}).data == config.ROOT / ".switchyard"
