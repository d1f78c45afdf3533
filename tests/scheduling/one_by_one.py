"""What fits where, said plainly for one task and one node: what the arithmetic of whole clusters is compared with."""

from collections.abc import Mapping

from switchyard.scheduling.resources import GPUS, NOTHING, WHOLE, Resources, devices_in, devices_wanted


def fits(demand: Mapping[str, int], free: Mapping[str, int]) -> bool:
    """Say whether one task of this demand fits into what a node has free."""
    plain = all(free.get(name, 0) >= amount for name, amount in demand.items() if name != GPUS)
    return plain and choose_devices(demand.get(GPUS, 0), free) is not None


def choose_devices(gpus: int, free: Mapping[str, int]) -> Resources | None:
    """Choose devices for one task, or None if none will do.

    A fraction goes to the fullest device that still has room (best fit, so that whole devices stay whole);
    whole GPUs take wholly free devices, lowest number first.
    """
    if not gpus:
        return NOTHING
    return _fraction(gpus, free) if gpus < WHOLE else _whole(devices_wanted(gpus), free)


def _fraction(gpus: int, free: Mapping[str, int]) -> Resources | None:
    roomy = [name for name in devices_in(free) if free[name] >= gpus]
    return Resources({min(roomy, key=free.__getitem__): gpus}) if roomy else None


def _whole(count: int, free: Mapping[str, int]) -> Resources | None:
    idle = [name for name in devices_in(free) if free[name] >= WHOLE]
    return Resources(dict.fromkeys(idle[:count], WHOLE)) if len(idle) >= count else None
