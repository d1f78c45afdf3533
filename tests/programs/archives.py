"""Archives for tests, good and bad."""

import io
import stat
import tarfile
import zipfile
from typing import Any

COUNT = """jobs:
  count:
    description: Count words
    parameters: {text: hello, times: 2, out: null}
    job:
      name: count ${{ text }}
      stages:
        - {name: read, parallelism: "${{ parallelism }}", command: [echo, "${{ out }} $HOME ${x}"], env: {N: "${{times}}"}}
        - {name: add, python: "counting:add", kwargs: {times: "${{ times }}"}, needs: [read]}
  plain:
    job: {name: plain, stages: [{name: only, command: [cat, words.txt]}]}
"""


def zipped(files: dict[str, str | bytes], *, mode: int = 0) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, text)
    return made.getvalue()


def tarred(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data, more in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in more.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def lying(size: int) -> bytes:
    """Return a zip archive whose directory says another size of its one file."""
    made = bytearray(zipped({"a": "hello" * 100}))
    at = made.rindex(b"PK\x01\x02")
    made[at + 24 : at + 28] = size.to_bytes(4, "little")
    return bytes(made)


def with_directory_of(size: int) -> bytes:
    """Return a zip archive that says that its directory is as large as this."""
    made = bytearray(zipped({"a": "hello"}))
    at = made.rindex(b"PK\x05\x06")
    made[at + 12 : at + 16] = size.to_bytes(4, "little")
    return bytes(made)


#: Archives that are refused, by what is wrong with them: a name, the bytes, and a part of the reason.
BAD: dict[str, tuple[str, bytes, str]] = {
    "escapes": ("a.zip", zipped({"../a": ""}), "leave its folder"),
    "absolute": ("a.zip", zipped({"/etc/a": ""}), "leave its folder"),
    "backslash": ("a.zip", zipped({"..\\a": ""}), "odd characters"),
    "control": ("a.zip", zipped({"a\nb": ""}), "odd characters"),
    "dots": ("a.zip", zipped({"a/./b": ""}), "odd path"),
    "link": ("a.zip", zipped({"a": "/etc/passwd"}, mode=stat.S_IFLNK | 0o777), "link or a device"),
    "twice": ("a.zip", zipped({"a": "", "a/b": ""}), "twice"),
    "bomb": ("a.zip", zipped({"a": bytes(2_000_000)}), "1,000,000 bytes"),
    "many": ("a.zip", zipped({f"a{number}": "" for number in range(101)}), "more than 100 files"),
    "larger than said": ("a.zip", lying(10), "not as large"),
    "smaller than said": ("a.zip", lying(100_000), "not as large"),
    "large directory": ("a.zip", with_directory_of(2**31), "more than 100 files"),
    "cut": ("a.zip", zipped({"a": "hello"})[:-30], "no zip archive"),
    "no zip": ("a.zip", b"hello", "no zip archive"),
    "empty": ("a.whl", b"", "no zip archive"),
    "no jar": ("a.jar", b"hello", "no zip archive"),
    "other kind": ("a.exe", zipped({"a": ""}), "must end with"),
    "tar escapes": ("a.tar.gz", tarred(("../a", b"", {})), "leave its folder"),
    "tar link": ("a.tar.gz", tarred(("a", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc"})), "link or a device"),
    "tar hard link": ("a.tar.gz", tarred(("a", b"", {"type": tarfile.LNKTYPE, "linkname": "b"})), "link or a device"),
    "tar device": ("a.tar.gz", tarred(("a", b"", {"type": tarfile.CHRTYPE})), "link or a device"),
    "tar bomb": ("a.tar.gz", tarred(("a", bytes(2_000_000), {})), "1,000,000 bytes"),
    "tar header bomb": ("a.tar.gz", tarred(("a", b"", {"pax_headers": {"comment": "x" * 3_000_000}})), "odd size"),
    "tar many": ("a.tar.gz", tarred(*[(f"a{number}", b"", {}) for number in range(101)]), "more than 100 files"),
    "tar folders": (
        "a.tar.gz",
        tarred(*[(f"a{number}", b"", {"type": tarfile.DIRTYPE}) for number in range(300)]),
        "more than 200 files and folders",
    ),
    "tar cut": ("a.tar.gz", tarred(("a", bytes(100_000), {}))[:60], "no tar archive"),
    "no tar": ("a.tar.gz", b"hello", "no tar archive"),
    "manifest that is no YAML": ("a.zip", zipped({"switchyard.yaml": "jobs: ["}), "switchyard.yaml"),
    "manifest without jobs": ("a.zip", zipped({"switchyard.yaml": "stages: []"}), "must have `jobs`"),
    "job without a description": ("a.zip", zipped({"switchyard.yaml": "jobs: {a: {}}"}), "jobs.a must have `job`"),
    "odd parameter": ("a.zip", zipped({"switchyard.yaml": "jobs: {a: {parameters: {A b: 1}, job: {}}}"}), "'A b'"),
    "entry that is no function": ("a.zip", zipped({"switchyard.yaml": "jobs: {a: {entry: 'jobs'}}"}), "jobs.a.entry: 'jobs'"),
    "entry that is no text": ("a.zip", zipped({"switchyard.yaml": "jobs: {a: {entry: 1}}"}), "jobs.a with `entry`"),
    "entry beside a job": ("a.zip", zipped({"switchyard.yaml": "jobs: {a: {entry: 'a:b', job: {}}}"}), "and nothing else"),
    "manifest of bytes": ("a.zip", zipped({"switchyard.yaml": b"\xff\xfe\xfa"}), "UTF-8"),
}
