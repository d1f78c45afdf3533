"""Locations of storage: URLs that fsspec knows, such as s3://bucket/prefix."""

from typing import Any

import fsspec
from fsspec.core import url_to_fs

#: What can only be read, or is something else within a file.
_NOT_WRITABLE = frozenset({"data", "git", "github", "http", "https", "reference", "tar", "zip"})
FORM = "Give a URL such as s3://bucket/prefix or file:///srv/artifacts"


class BadLocation(ValueError):
    """This is no place where artifacts can be kept; the text says why."""


def require(url: str) -> None:
    """Raise BadLocation if a URL names no place that all processes of an installation can write to, by its form."""
    protocol, separator, rest = url.partition("://")
    if not separator or "::" in url:
        raise BadLocation(f"{url} is no URL of one place. {FORM}.")
    if protocol in _NOT_WRITABLE:
        raise BadLocation(f"{url}: nothing can be written to {protocol}. {FORM}.")
    if protocol == "memory":
        raise BadLocation(f"{url}: processes do not share their memory. {FORM}.")
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        raise BadLocation(f"{url}: {protocol} is not known to fsspec. {FORM}.") from None
    except ImportError as error:
        raise BadLocation(f"{url}: a package is missing. {error}.") from error
    if not rest.strip("/"):
        raise BadLocation(f"{url} names no bucket or folder. {FORM}.")


def opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, which remembers no listings, and the path of the folder; raises BadLocation."""
    try:
        files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except Exception as error:
        raise BadLocation(f"{url}: {type(error).__name__}: {error}") from error
    return files, root.rstrip("/")
