"""Importing switchyard: light for the tasks that it runs in, complete for those who look at it."""

import json
import subprocess
import sys

import switchyard

HEAVY = ("pydantic", "httpx", "typer", "rich", "yaml", "numpy", "switchyard.scheduling")


def test_task_context_loads_none_of_the_libraries_of_clients() -> None:
    code = "import json, sys; import switchyard, switchyard.task; switchyard.Task; print(json.dumps(list(sys.modules)))"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, check=True)
    assert not set(HEAVY) & set(json.loads(done.stdout))


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(switchyard, name).__name__ == name for name in switchyard.__all__)
