"""Users' own modules win, whatever they are called: what is installed beside them has one name, switchyard."""

import subprocess
import sys
from pathlib import Path

from jobs.models import Task
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import Stack

OWN = {
    "agent.py": "NAME = 'my agent'\n",
    "scheduling.py": "NAME = 'my scheduling'\n",
    "simulation.py": "NAME = 'my simulation'\n",
    "messaging.py": "NAME = 'my messaging'\n",
    "jobs/__init__.py": "NAME = 'my jobs'\n",
    "nodes/__init__.py": "NAME = 'my nodes'\n",
}
NAMES = [f"my {name.split('.')[0].split('/')[0]}" for name in OWN]
IMPORTS = """
import agent, scheduling, simulation, messaging, jobs, nodes
OWN = agent, scheduling, simulation, messaging, jobs, nodes
"""
WORK = f"{IMPORTS}\ndef names():\n    return [own.NAME for own in OWN]\n"
SCRIPT = f"""{IMPORTS}
import sys
import switchyard

client = switchyard.Client(sys.argv[1], token=sys.argv[2])
job = switchyard.Job("mine")
job.stage("names", command=["echo", *(own.NAME for own in OWN)])
print(job.submit(client).wait().state)
"""


def test_tasks_import_the_modules_of_their_job(stack: Stack) -> None:
    stack.start_agent("one")
    job = stack.submit({"names": {"python": "work:names", "files": OWN | {"work.py": WORK}}})
    assert stack.wait(job).state == JobState.FINISHED, job.error
    assert Task.objects.get(stage__job=job).result == NAMES


def test_programs_import_their_own_modules_beside_the_client(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("one")
    folder = tmp_path / "mine"
    for name, text in (OWN | {"submit.py": SCRIPT}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        (sys.executable, "submit.py", stack.url, stack.credentials["token"]),
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "FINISHED", done.stderr
