"""The environment that settings are read from: a value that cannot be read is an error that names it."""

import ipaddress
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from artifacts import location

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_TRUE, _FALSE = environ.Env.BOOLEAN_TRUE_STRINGS, ("false", "off", "no", "n", "0", "")


class Environment(environ.Env):  # type: ignore[misc]  # untyped
    """Reads settings by type."""

    def int(self, var: str, default: Any = environ.Env.NOTSET) -> Any:
        """Read a whole number, 0 or more."""
        text = self.str(var, default=default)
        if not (str(text).isascii() and str(text).isdigit()):
            raise ImproperlyConfigured(f"{var}={text} is not a whole number, 0 or more.")
        return int(text)

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> Any:
        """Read a yes or a no."""
        text = str(self.str(var, default=default)).strip().lower()
        if text not in _TRUE and text not in _FALSE:
            raise ImproperlyConfigured(f"{var}={text} is neither true nor false.")
        return text in _TRUE

    def listed(self, var: str, default: Any = ()) -> Any:
        """Read texts with commas between."""
        return [part for each in self.list(var, default=list(default)) if (part := each.strip())]

    def database(self, var: str) -> dict[str, Any]:
        """Read the address of a PostgreSQL."""
        if not self.str(var).startswith(("postgresql://", "postgres://")):
            raise ImproperlyConfigured(f"{var} does not begin with postgresql://.")
        found: dict[str, Any] = self.db_url(var)
        return found

    def location(self, var: str) -> str:
        """Read where artifacts are kept; empty if that is not set."""
        url = str(self.str(var, default="")).strip()
        try:
            if url:
                location.require(url)
        except location.BadLocation as error:
            raise ImproperlyConfigured(f"{var}: {error}") from error
        return url

    def networks(self, var: str) -> list[Network]:
        """Read addresses of machines and networks."""
        try:
            return [ipaddress.ip_network(each) for each in self.listed(var)]
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}. Give addresses or networks, as 192.0.2.1 or 10.0.0.0/8.") from error
