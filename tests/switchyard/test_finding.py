"""Which server a client talks to, and which token it shows there and nowhere else."""

import json
from pathlib import Path

import pytest

from switchyard.configuration import DEFAULT_URL, Server, find
from switchyard.errors import Misconfigured

FAR = "https://far.example:8443"


def configured(home: Path, text: str) -> dict[str, str]:
    """Write the user's configuration file and return an environment that leads to it."""
    file = home / ".config" / "switchyard" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(0o600)
    return {"HOME": str(home)}


def data_folder(folder: Path) -> dict[str, str]:
    """Write the credentials of a stack and return an environment that names its folder."""
    (folder / "credentials.json").write_text(json.dumps({"token": "stack"}))
    return {"DATA_DIR": str(folder), "HOME": str(folder)}


def test_without_anything_it_is_this_machine_without_a_token(tmp_path: Path) -> None:
    assert find({"HOME": str(tmp_path)}) == Server(DEFAULT_URL)


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    environ = configured(tmp_path, f'url = "{FAR}"\ntoken = "file"\n')
    assert find(environ) == Server(FAR, "file")
    environ |= {"SWITCHYARD_URL": "http://near:1/", "SWITCHYARD_TOKEN": "environment"}
    assert find(environ) == Server("http://near:1", "environment")
    assert find(environ, url="http://given:2", token="given") == Server("http://given:2", "given")


def test_token_of_the_file_is_shown_to_no_other_server(tmp_path: Path) -> None:
    environ = configured(tmp_path, f'url = "{FAR}"\ntoken = "file"\n')
    assert find(environ, url="https://elsewhere.example").token is None


def test_token_of_the_data_folder_is_shown_on_this_machine_only(tmp_path: Path) -> None:
    environ = data_folder(tmp_path)
    assert find(environ, url="http://localhost:8001").token == "stack"
    assert find(environ, url=FAR).token is None


def test_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    environ = configured(tmp_path, 'token = "file"\n')
    file = tmp_path / ".config" / "switchyard" / "config.toml"
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match=f"chmod 600 {file}"):
        find(environ)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "x"])
def test_address_that_is_none_is_an_error_with_an_example(url: str) -> None:
    with pytest.raises(Misconfigured, match=DEFAULT_URL):
        find({"HOME": "/nowhere"}, url=url)


def test_broken_files_are_named(tmp_path: Path) -> None:
    environ = configured(tmp_path, "url = ")
    with pytest.raises(Misconfigured, match=r"config\.toml cannot be read"):
        find(environ)
    (tmp_path / "credentials.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"credentials\.json cannot be read"):
        find({"HOME": "/nowhere", "DATA_DIR": str(tmp_path)})
