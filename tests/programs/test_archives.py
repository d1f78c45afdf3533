"""Archives are read without trust: each fault is named, and what is good is unpacked as it is."""

import io
from pathlib import Path

import pytest

from switchyard.programs.archive import Bounds, opened, unpack
from switchyard.programs.errors import BadArchive
from switchyard.programs.inspecting import inspect
from tests.programs.archives import BAD, COUNT, tarred, zipped

BOUNDS = Bounds(members=100, bytes=1_000_000)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_is_refused_by_name(what: str) -> None:
    name, data, reason = BAD[what]
    with pytest.raises(BadArchive) as raised:
        inspect(io.BytesIO(data), name, BOUNDS)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped({"lib/": "", "lib/a.py": "a = 1", "run.sh": "true"}, mode=0o755)),
        ("a.pyz", b"#!/usr/bin/python3\n" + zipped({"lib/a.py": "a = 1", "run.sh": "true"}, mode=0o755)),
        ("a.tar.gz", tarred(("./lib/a.py", b"a = 1", {"mode": 0o755}), ("run.sh", b"true", {"mode": 0o755}))),
    ],
)
def test_a_good_archive_is_unpacked_as_it_is(tmp_path: Path, name: str, data: bytes) -> None:
    folder = tmp_path / "out"
    with opened(io.BytesIO(data), name, BOUNDS) as archive:
        unpack(archive, folder, BOUNDS)
    assert {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()} == {
        "lib/a.py": "a = 1",
        "run.sh": "true",
    }
    assert (folder / "run.sh").stat().st_mode & 0o777 == 0o555


def test_a_lying_archive_leaves_its_folder_alone(tmp_path: Path) -> None:
    for what, (name, data, _) in BAD.items():
        if what.startswith("tar ") or name == "a.zip":
            with pytest.raises(BadArchive), opened(io.BytesIO(data), name, BOUNDS) as archive:  # noqa: PT012
                unpack(archive, tmp_path / what.replace("/", "_"), BOUNDS)
                raise BadArchive("a manifest is no matter of unpacking")
    assert {path.name for path in tmp_path.parent.iterdir()} >= {tmp_path.name}
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or path.name == "passwd"]


def test_entry_points_are_those_of_the_manifest_and_of_the_jar() -> None:
    found = inspect(io.BytesIO(zipped({"switchyard.yaml": COUNT})), "a.zip", BOUNDS)
    assert found.entries == [
        {"name": "count", "description": "Count words", "function": None},
        {"name": "plain", "description": None, "function": None},
    ]
    main_class = "Manifest-Version: 1.0\r\nMain-Class: org.exam\r\n ple.Main\r\n"
    jar = zipped(
        {
            "META-INF/MANIFEST.MF": main_class,
            "org/example/Main.class": "x",
        }
    )
    main = inspect(io.BytesIO(jar), "a.jar", BOUNDS)
    assert (main.main_class, main.classes) == ("org.example.Main", ("org.example.Main",))
    assert main.entries == [{"name": "org.example.Main", "description": None, "function": None}]
