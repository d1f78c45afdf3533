"""Settings: what cannot be read stops the start with one sentence, and Django's own checks of a deployment are content."""

import os
import subprocess
import sys

import pytest
from django.test import Client

from launch.config import ROOT

KEY = "a-long-and-random-text-of-letters-and-42-figures-that-nobody-guesses"


def manage(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "manage.py", *argv)
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SWITCHYARD_KEEP_DAYS", "soon", "is not a whole number, 0 or more"),
        ("SWITCHYARD_QUOTA_JOBS", "-1", "is not a whole number, 0 or more"),
        ("SWITCHYARD_LIMIT_STAGES", "1e3", "is not a whole number, 0 or more"),
        ("SWITCHYARD_DEBUG", "maybe", "is neither true nor false"),
        ("SWITCHYARD_LOG_LEVEL", "loud", "is not one of DEBUG, INFO"),
        ("SWITCHYARD_LOG_FORMAT", "xml", "is neither json nor console"),
        ("SWITCHYARD_PROXIES", "127.0.0.1,nginx", "'nginx' does not appear to be"),
        ("DATABASE_URL", "", "DATABASE_URL"),
    ],
)
def test_setting_that_cannot_be_read_is_named_in_a_sentence(name: str, value: str, reason: str) -> None:
    done = manage("check", **{name: value})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("manage.py: ")
    assert name in line
    assert reason in line


def test_check_of_a_deployment_is_clean() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", SWITCHYARD_SECRET_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert "security.W009" in manage("check", "--deploy", "--fail-level", "WARNING", SWITCHYARD_SECRET_KEY="short").stderr


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/ui/", "/admin/", "/healthz", "/api/v1/jobs", "/jobs/overview", "/api/state", "/scheduler/"]
)
def test_unknown_host_is_told_which_setting_names_the_hosts(client: Client, path: str) -> None:
    answer = client.get(path, headers={"Host": "jobs.example.org"})
    assert answer.status_code == 400
    assert "jobs.example.org: an operator adds it to SWITCHYARD_HOSTS" in answer.content.decode()
