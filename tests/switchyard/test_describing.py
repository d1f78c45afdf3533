"""Description files: read, completed by the local files that they name, and checked as the server does."""

import io
import sys
from pathlib import Path

import pytest

from switchyard.descriptions import described
from switchyard.errors import Unpackable
from switchyard.scheduling.errors import InvalidSpec

JOB = """
name: Scan
stages:
- name: scan
  command: [python3, scan.py]
  files: {files}
"""


def written(folder: Path, files: str) -> str:
    """Write a job description whose stage has these files, beside a scan.py, and return its path."""
    (folder / "scan.py").write_text("print(1)\n")
    (folder / "job.yaml").write_text(JOB.replace("{files}", files))
    return str(folder / "job.yaml")


def packed(file: str) -> object:
    """Return the files of the only stage."""
    return described(file)["stages"][0]["files"]


def test_listed_files_are_packed_from_the_folder_of_the_description(tmp_path: Path) -> None:
    assert packed(written(tmp_path, "[scan.py]")) == {"scan.py": "print(1)\n"}


def test_local_file_may_get_another_name_beside_inline_text(tmp_path: Path) -> None:
    files = "{lib/a.py: {local: scan.py}, b.txt: '@scan.py'}"
    assert packed(written(tmp_path, files)) == {"lib/a.py": "print(1)\n", "b.txt": "@scan.py"}


@pytest.mark.parametrize("files", ["[scan.py]", "{scan.py: {local: scan.py}}"])
def test_executable_files_stay_executable(tmp_path: Path, files: str) -> None:
    file = written(tmp_path, files)
    (tmp_path / "scan.py").chmod(0o755)
    assert packed(file) == {"scan.py": {"text": "print(1)\n", "executable": True}}


def test_listed_file_of_another_folder_keeps_only_its_name(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    written(tmp_path, "[]")
    assert packed(written(tmp_path / "jobs", "[../scan.py]")) == {"scan.py": "print(1)\n"}


def test_description_on_standard_input_takes_files_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(written(tmp_path, "[scan.py]")).read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert packed("-") == {"scan.py": "print(1)\n"}


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unpackable, match=r"gone\.py cannot be read: No such file"):
        described(written(tmp_path, "[gone.py]"))
    with pytest.raises(Unpackable, match=r"nowhere\.yaml cannot be read"):
        described(str(tmp_path / "nowhere.yaml"))


def test_a_file_that_is_no_text_goes_along_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "windows.txt").write_bytes(b"a\r\n")
    (tmp_path / "nul").write_bytes(b"a\0b")
    assert packed(written(tmp_path, "[blob, windows.txt, nul]")) == {
        "blob": {"base64": "//79"}, "windows.txt": "a\r\n", "nul": {"base64": "YQBi"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "at"), [("[shapes]", "shapes"), ("[./shapes/]", "shapes"), ("{lib: {local: shapes}}", "lib")]
)
def test_a_folder_goes_along_with_all_its_files(tmp_path: Path, files: str, at: str) -> None:
    file = written(tmp_path, files)
    (tmp_path / "shapes" / "data").mkdir(parents=True)
    for hidden in ("__pycache__", ".git"):
        (tmp_path / "shapes" / hidden).mkdir()
        (tmp_path / "shapes" / hidden / "x").write_text("no")
    (tmp_path / "shapes" / "__init__.py").write_text("")
    (tmp_path / "shapes" / "data" / "table.csv").write_text("1\n")
    (tmp_path / "shapes" / "run.sh").write_text("true")
    (tmp_path / "shapes" / "run.sh").chmod(0o755)
    assert packed(file) == {
        f"{at}/__init__.py": "", f"{at}/data/table.csv": "1\n", f"{at}/run.sh": {"text": "true", "executable": True},
    }  # fmt: skip


def test_a_lock_is_packed_from_a_local_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n")
    file = Path(written(tmp_path, "[]"))
    environment = "  environment: {lock: {local: requirements.txt}}\n"
    file.write_text(file.read_text() + environment + environment.removeprefix("  "))
    told = described(str(file))
    assert told["environment"] == told["stages"][0]["environment"] == {"lock": "numpy==2.4.6\n"}
    (tmp_path / "requirements.txt").unlink()
    with pytest.raises(Unpackable, match=r"environment: requirements\.txt cannot be read"):
        described(str(file))


def test_faults_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("name: X\nstages: [{name: a, comand: [true]}]")
    with pytest.raises(InvalidSpec, match=r"stages\[0\]\.comand: is not a known field; did you mean 'command'"):
        described(str(tmp_path / "job.yaml"))


@pytest.mark.parametrize("text", ["[]", "name: x", "stages: 1", "name: x\nstages: [1, {files: 3}]", "just text", ""])
def test_what_is_no_description_is_an_error_of_the_description(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(InvalidSpec):
        described(str(tmp_path / "job.yaml"))
