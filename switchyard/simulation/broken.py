"""The one way in which a run fails: an invariant does not hold."""


class Broken(Exception):
    """An invariant of ARCHITECTURE.md, by its number, does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
