"""What the words of installers mean for the tasks whose environment was not built."""

import pytest

from switchyard.agent.core.builds import Failed, timed_out, verdict

PIP = """Looking in indexes: https://pypi.org/simple
ERROR: Could not find a version that satisfies the requirement nothing==1 (from versions: none)
ERROR: No matching distribution found for nothing==1
[notice] A new release of pip is available
"""
NO_INDEX = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': Failed to establish\n" + PIP
CONFLICT = """ERROR: Cannot install a and b because these package versions have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io
"""
UV = """Using Python 3.12.1 environment at: /e
error: No solution found when resolving dependencies
  cause: Because nothing was not found in the package registry and you require nothing>=3, we can conclude that …
"""
OLD_UV = """  × No solution found when resolving dependencies:
  ╰─▶ Because nothing was not found in the package registry, we can conclude that …
"""
NO_PYTHON = "error: No interpreter found for Python 3.99 in managed installations\n\nhint: uv embeds available downloads.\n"
COMPILER = "  error: command 'gcc' failed: No such file or directory\nERROR: Failed building wheel for x\n"


@pytest.mark.parametrize("said", [PIP, CONFLICT, UV, OLD_UV])
def test_what_no_node_could_build_is_tried_nowhere_else(said: str) -> None:
    told = verdict(Failed(said))
    assert (told["class"], told["unfit"], told["fault"]) == ("environment", "", "")


@pytest.mark.parametrize(
    ("failed", "why"),
    [
        (Failed(NO_INDEX), "ERROR: No matching distribution found for nothing==1"),
        (Failed(COMPILER), "ERROR: Failed building wheel for x"),
        (Failed(NO_PYTHON, unsuited=True), "error: No interpreter found for Python 3.99 in managed installations"),
        (timed_out(), "it took longer than 60 minutes"),
        (Failed(""), ""),
    ],
)
def test_what_may_be_built_elsewhere_is_told_as_what_the_node_lacks(failed: Failed, why: str) -> None:
    told = verdict(failed)
    assert (told["class"], told["unfit"]) == ("environment", f"its environment cannot be built there: {why}")


def test_a_full_disk_and_a_killed_installer_are_losses_of_the_node() -> None:
    full, killed = verdict(Failed(PIP, fault="disk full: 0 of 24 MB free")), verdict(Failed(PIP, killed=True))
    assert (full["class"], full["fault"], full["unfit"]) == ("lost", "disk full: 0 of 24 MB free", "")
    assert (killed["class"], killed["fault"], killed["unfit"]) == ("lost", "", "")


def test_an_error_has_the_words_of_the_installer_and_no_notices() -> None:
    error = verdict(Failed(PIP))["error"]
    assert error.startswith("its environment cannot be built: ERROR: Could not find a version that satisfies")
    assert error.endswith("ERROR: No matching distribution found for nothing==1")
