"""Load packages without what they bring along for others, such as colors: agents and servers write plain lines.

httpx, structlog and REST framework load that wherever it is installed, for a fifth of the time in which a process starts.
"""

import sys
from importlib import import_module

_UNUSED = ("click", "pygments", "requests", "rich")


def load(*packages: str) -> None:
    """Load packages, before anything else does, as if what they can do without were not installed."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    # What stands there as None cannot be imported.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # said so by the language, not by the stubs
    try:
        for package in packages:
            import_module(package)
    finally:
        for name in hidden:
            del sys.modules[name]
