"""A disk that is full: one sentence with the place and the remedy, and no process that goes on unseen."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog

from tieline import cli
from tieline.catalogue.files import write
from tieline.kernel.disk import writing
from tieline.kernel.errors import Stop
from tieline.kernel.telemetry import Log, configure_logging

NO_ROOM = OSError(errno.ENOSPC, "No space left on device")
FULL = Path("/dev/full")


class FullDisk(io.StringIO):
    """A file on a disk that has no room."""

    def write(self, _text: str) -> NoReturn:
        raise NO_ROOM


@pytest.fixture
def full_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    configure_logging()
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("full_log")
def test_a_log_without_room_stops_the_process_with_the_place_and_the_remedy() -> None:
    log = Log("bench")
    sentence = r"the log \(standard error\) cannot be written: the disk is full; free space where it is kept and start"
    with pytest.raises(Stop, match=sentence):
        log.info("started")
    with pytest.raises(Stop, match=sentence):
        log.warning("target-paused", why="out")
    with pytest.raises(Stop, match=sentence):
        log.fault("handler-failed", record="t/0/1")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of the disk is used up"),
        (errno.EROFS, "read-only"),
    ],
)
def test_what_takes_no_more_is_named_with_its_place(number: int, why: str) -> None:
    with pytest.raises(Stop, match=f"^/data/x cannot be written: {why}; free space$"), writing("/data/x", "free space"):
        raise OSError(number, "no")


def test_another_fault_of_a_file_is_none_of_a_full_disk() -> None:
    with pytest.raises(PermissionError), writing("/data/x", "free space"):
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_page_without_room_is_named(tmp_path: Path) -> None:
    (tmp_path / "topics.md").symlink_to(FULL)
    with pytest.raises(Stop, match=r"topics.md cannot be written: the disk is full; free space and run"):
        write(tmp_path, {"topics.md": "text"})


def test_a_command_that_has_no_room_says_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill() -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/supervisord.conf")

    monkeypatch.setattr(cli, "app", fill)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    told = capsys.readouterr().err
    assert told.startswith("tieline: /data/supervisord.conf: the disk is full; free space and start it again. ")
    assert told.count("\n") == 1


def test_where_the_sentence_itself_has_no_room_the_exit_code_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise Stop("no more")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(sys, "stderr", FullDisk())
    with pytest.raises(SystemExit, match="1"):
        cli.main()
