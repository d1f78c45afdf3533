"""Resources: arithmetic, words for people, and the choice of GPU devices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.resources import NOTHING, Resources, describe, hold
from tests.scheduling.one_by_one import choose_devices, fits

DEVICES = st.lists(st.sampled_from([0, 100, 250, 500, 999, 1000]), max_size=12).map(
    lambda amounts: {f"gpu{number}": amount for number, amount in enumerate(amounts)}
)


def test_absent_resource_counts_nothing() -> None:
    assert Resources(cpus=1000)["mem"] == 0
    assert Resources(cpus=1000, mem=0) == Resources(cpus=1000) == {"cpus": 1000}
    assert "mem" not in Resources(mem=0)


def test_equal_amounts_are_one_key_in_whatever_order_they_were_named() -> None:
    assert {Resources(cpus=1, mem=2): "found"}[Resources(mem=2, cpus=1)] == "found"


def test_sum_and_difference_cover_the_names_of_both() -> None:
    one, other = Resources(cpus=2000, mem=100), Resources(cpus=500, licenses=1)
    assert one + other == {"cpus": 2500, "mem": 100, "licenses": 1}
    assert one - other == {"cpus": 1500, "mem": 100, "licenses": -1}
    assert one * 3 == {"cpus": 6000, "mem": 300}


@given(st.dictionaries(st.sampled_from("abc"), st.integers(-9, 9)), st.integers(0, 5))
def test_multiplying_is_repeated_adding(amounts: dict[str, int], times: int) -> None:
    assert Resources(amounts) * times == sum([Resources(amounts)] * times, NOTHING)


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        ({"mem": 4096, "cpus": 2500}, "2.5 cpus, 4 GiB memory"),
        ({"cpus": 1000}, "1 cpu"),
        ({"cpus": 128_000, "mem": 512}, "128 cpus, 512 MiB memory"),
        ({"disk": 10 * 1024, "mem": 1536}, "1.5 GiB memory, 10 GiB disk"),
        ({"mem": 3 * 1024 * 1024}, "3 TiB memory"),
        ({"gpus": 500, "cpus": 1}, "0.001 cpus, 0.5 gpus"),
        ({"gpu0": 1000, "gpu1": 1000}, "2 gpus"),
        ({"licenses": 3, "bandwidth": 10_000}, "10,000 bandwidth, 3 licenses"),
        ({}, "nothing"),
    ],
)
def test_people_read_units(amounts: dict[str, int], words: str) -> None:
    assert describe(amounts) == words


def test_demand_fits_only_if_all_of_it_does() -> None:
    demand = Resources(cpus=1000, mem=100)
    assert fits(demand, {"cpus": 1000, "mem": 100})
    assert not fits(demand, {"cpus": 5000, "mem": 99})
    assert not fits(demand, {"cpus": 5000})


def test_fraction_takes_the_fullest_device_that_has_room() -> None:
    free = {"gpu0": 1000, "gpu1": 600, "gpu2": 300}
    assert choose_devices(500, free) == {"gpu1": 500}
    assert choose_devices(250, free) == {"gpu2": 250}


def test_fraction_never_spans_devices() -> None:
    assert choose_devices(500, {"gpu0": 400, "gpu1": 400}) is None
    assert not fits(Resources(gpus=500), {"gpu0": 400, "gpu1": 400})


def test_whole_gpus_take_only_wholly_free_devices_by_number() -> None:
    free = {"gpu10": 1000, "gpu9": 1000, "gpu2": 1000, "gpu1": 999}
    assert choose_devices(2000, free) == {"gpu2": 1000, "gpu9": 1000}
    assert choose_devices(4000, free) is None


def test_demand_without_gpus_takes_no_device() -> None:
    assert choose_devices(0, {"gpu0": 1000}) == NOTHING


def test_hold_names_the_devices_instead_of_a_number_of_gpus() -> None:
    assert hold(Resources(cpus=500, gpus=2000), {"gpu1": 1000, "gpu3": 1000}) == {
        "cpus": 500,
        "gpu1": 1000,
        "gpu3": 1000,
    }


@given(DEVICES, st.sampled_from([1, 250, 500, 999, 1000, 2000, 3000]))
def test_chosen_devices_have_the_room_and_are_refused_only_if_none_has(free: dict[str, int], gpus: int) -> None:
    chosen = choose_devices(gpus, free)
    if chosen is not None:
        assert sum(chosen.values()) == gpus
        assert all(free[name] >= amount for name, amount in chosen.items())
    elif gpus < 1000:
        assert max(free.values(), default=0) < gpus
    else:
        assert sum(amount == 1000 for amount in free.values()) < gpus // 1000
