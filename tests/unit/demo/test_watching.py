"""Waiting is bounded, and says what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from tieline.demo import watching
from tieline.demo.sight import Side
from tieline.demo.watching import Watcher
from tieline.kernel.errors import Rejected, Stop, Unavailable
from tieline.kernel.protocols import Connector, RawItem, Sink, Source
from tieline.wiring import Hub


class Moody:
    """A source whose first reads fail."""

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        assert stream == "assets"
        if self.moods:
            raise self.moods.pop(0)
        nothing: Sequence[RawItem] = ()
        for item in nothing:
            yield item


def connector(source: Moody) -> Connector:
    return Connector(cast("Source", source), cast("Sink", None), lambda _: (), ("assets",))


def watcher(said: list[str], *moods: Exception, timeout_secs: float = 30) -> Watcher:
    # It asks the hub only when it is told to wait for Kafka.
    hub = cast("Hub", None)
    return Watcher(hub, connector(Moody(*moods)), connector(Moody()), timeout_secs=timeout_secs, say=said.append)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECS", 0.01)


def test_it_looks_again_until_nothing_is_missing() -> None:
    answers = [["a", "b"], ["b"], []]

    def check(_am: Side, _erp: Side) -> Sequence[str]:
        return answers.pop(0)

    said: list[str] = []
    one = watcher(said)
    one.until("it arrives", check)
    one.close()
    assert said == ["  … it arrives: 2 to go (a)", "  … it arrives: 1 to go (b)"]


def test_a_system_that_is_out_or_being_changed_is_asked_again() -> None:
    said: list[str] = []
    one = watcher(said, Unavailable("busy"), Rejected("records that don't exist"))
    one.until("it arrives", lambda _am, _erp: [])
    one.close()
    assert "busy" in said[0]


def test_past_the_bound_it_says_what_is_missing() -> None:
    one = watcher([], timeout_secs=0.05)
    with pytest.raises(Stop, match=r"it arrives: not done within 0 s\. Missing: a; b; c and 1 more\."):
        one.until("it arrives", lambda _am, _erp: ["a", "b", "c", "d"])
    one.close()
