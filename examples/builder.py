"""The job of standard-library.yaml, built in Python: functions are given as they are, and their files go along.

python examples/builder.py
"""

import standard_library as library

from switchyard import Job


def build(groups: int = 48) -> Job:
    """Describe the job."""
    job = Job("Index Python's standard library, from Python", type="index", labels={"built": "in-python"})
    listed = job.stage("list", python=library.groups, args=[groups])
    scan = job.stage("scan", python=library.scan, foreach=listed)
    merge = job.stage("merge", python=library.merge, needs=[scan])
    job.stage("report", python=library.report, needs=[merge])
    return job


def main() -> None:
    """Submit the job, tell how far it is, and print some of its result."""
    submitted = build().submit()
    print(f"Job {submitted.number}")
    for job in submitted.watch():
        print(f"\r{job.state} {job.progress:4.0%}", end="", flush=True)
    print()
    [report] = submitted.results()["report"]
    print(f"{report['lines']:,} lines, {report['docstring_coverage']:.0%} of what is public has a docstring")
    print("\n".join(report["longest_functions"]))


if __name__ == "__main__":
    main()
