"""Versions: agent and server must be of one release, since their messages are."""

from switchyard.scheduling.errors import SwitchyardError


class OtherVersion(SwitchyardError):
    """The agent is of another version than the server."""


def require_fit(agent: str, server: str) -> None:
    """Raise OtherVersion unless both are of one release: the same first two numbers."""
    if agent.split(".")[:2] != server.split(".")[:2]:
        known = f"of version {agent}" if agent else "of a version that does not say which"
        raise OtherVersion(
            f"This agent is {known}, the server of version {server}: they must be of the same release. "
            f"Install {server} on the agent's machine."
        )
