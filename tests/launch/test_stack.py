"""What the processes of a stack are given fits what the servers have."""

from launch import postgres, stack

#: Connections for the scheduler, people's shells, and PostgreSQL's own reserve.
LEFT = 40


def test_threads_of_the_web_leave_connections_for_others() -> None:
    most = stack.MOST_WEB_WORKERS * stack.WEB_THREADS
    assert most + LEFT <= int(postgres.SETTINGS["max_connections"])
