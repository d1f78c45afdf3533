"""A series: one fault so many times on one site, in a process of its own, since Django knows one database."""

import os
import statistics
import sys
import time
from pathlib import Path

import django

from launch import services
from tests.campaign import faults
from tests.campaign.site import Site, migrate


def main(fault: str, agents: int, runs: int, seed: int) -> int:
    """Print how it went; return 1 if anything was wrong."""
    begun, seconds, wrong = time.monotonic(), [], []
    with services.temporary_data() as data:
        site = _site(fault, data)
        try:
            _start(site, fault, agents)
            from tests.campaign.runs import run

            for number in range(seed, seed + runs):
                outcome = run(site, fault, agents, number)
                seconds.append(outcome.seconds)
                wrong += [f"seed {number}: {text}" for text in outcome.wrong]
                if outcome.wrong:
                    break
            if wrong and "CAMPAIGN_LOGS" in os.environ:
                print(site.stack.logs())
        finally:
            site.stop()
            data.with_suffix(".clock").unlink(missing_ok=True)
            if fault == "agent_disk_full":
                for number in range(agents):
                    faults.forget_small_disk(site.folder / f"agent{number}")
    middle = f"{statistics.median(seconds):.1f} s" if seconds else "-"
    verdict = f"took {time.monotonic() - begun:.0f} s  {'WRONG' if wrong else 'all well'}"
    print(f"{fault:22} {agents} agents {len(seconds):3} runs  work over {middle} after it (median)  {verdict}")
    print(*(f"    {text}\n" for text in wrong), sep="", end="", flush=True)
    return int(bool(wrong))


def _site(fault: str, data: Path) -> Site:
    if not fault.startswith("clock"):
        return Site(data, None)
    clock = data.with_suffix(".clock")
    clock.write_text("+0\n")
    return Site(data, clock)


def _start(site: Site, fault: str, agents: int) -> None:
    """Make the tables, start all processes, and wait until the agents have registered."""
    os.environ |= {
        "DATABASE_URL": site.database_url,
        "REDIS_URL": site.redis_url,
        "DATA_DIR": str(site.folder),
        "SWITCHYARD_SECRET_KEY": "a key for the campaign alone, long enough for every check of it",
        "DJANGO_SETTINGS_MODULE": "scheduler_project.settings",
    }
    credentials = migrate(dict(os.environ))
    if fault == "agent_disk_full":
        for number in range(agents):
            faults.small_disk(site.folder / f"agent{number}")
    django.setup()
    from nodes.models import Node
    from tests.flows.stack import Stack

    site.start(Stack(site.folder, site.database_url, site.redis_url, credentials), agents)
    site.stack.until(lambda: Node.objects.filter(session__gt="").count() == agents, "the agents register")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
