"""A Java runtime that cannot serve is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieline.stack.errors import StackError
from tieline.stack.java import JavaRuntime, find_java


def _program(folder: Path, version: str) -> Path:
    file = folder / "java"
    file.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_the_packaged_runtime_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIELINE_JAVA", raising=False)
    assert find_java().major >= 21


def test_a_chosen_runtime_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(tmp_path, "21.0.9")
    monkeypatch.setenv("TIELINE_JAVA", str(program))
    assert find_java() == JavaRuntime(program, 21)


def test_a_missing_runtime_and_an_old_one_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_JAVA", str(tmp_path / "nowhere"))
    with pytest.raises(StackError, match=r"nowhere does not run on this machine .*set TIELINE_JAVA"):
        find_java()
    monkeypatch.setenv("TIELINE_JAVA", str(_program(tmp_path, "17.0.1")))
    with pytest.raises(StackError, match=r"version 17, too old .*set TIELINE_JAVA"):
        find_java()


def test_flags_a_java_21_does_not_know_are_left_out() -> None:
    assert not any("unsafe" in flag for flag in JavaRuntime(Path("java"), 21).argv("-jar", "x"))
    assert any("unsafe" in flag for flag in JavaRuntime(Path("java"), 25).argv("-jar", "x"))
