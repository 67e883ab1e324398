"""Secrets are random, private, kept, and handed over without standing in any configuration."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

from tieline.stack import credentials


def test_secrets_are_private_random_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = {name: file.read_text() for name, file in credentials.ensure(folder, ("one", "two")).items()}
    assert first["one"] != first["two"]
    assert all(len(value.strip()) >= 32 for value in first.values())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = {name: file.read_text() for name, file in credentials.ensure(folder, ("one", "two", "three")).items()}
    assert {name: again[name] for name in first} == first


def test_an_empty_file_of_an_interrupted_run_is_filled(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    assert credentials.ensure(tmp_path, ["one"])["one"].read_text().strip()


def test_a_program_gets_its_secret_as_a_variable_and_its_arguments_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "a secret's file"
    credentials.write(file, "va$lue `x`")
    command = credentials.exported({"TOKEN": file}, ("/bin/sh", "-c", 'printf "%s|%s" "$TOKEN" "$1"', "sh", "a b $c"))
    assert not any("va$lue" in part for part in command)
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "va$lue `x`|a b $c"
