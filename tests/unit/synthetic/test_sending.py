"""When the hub has come to rest: no record, and no open transaction, lies before any of the three processors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tieline.kernel.errors import Stop
from tieline.kernel.inspecting import Span, Where, Window
from tieline.kernel.records import Inbound
from tieline.synthetic import sending

INPUTS = {"identify": "reports", "accept": "identified", "route": "events"}


@dataclass
class Broker:
    """One partition per topic as it is at each look: where the group is, its records, what is committed, the end."""

    looks: list[dict[str, tuple[int, tuple[int, ...], int, int]]]
    seen: int = 0
    slept: list[float] = field(default_factory=list)

    @property
    def now(self) -> dict[str, tuple[int, tuple[int, ...], int, int]]:
        return self.looks[min(self.seen, len(self.looks)) - 1]

    def committed(self, _log: Any, wanted: Mapping[str, list[Where]]) -> dict[str, dict[Where, int]]:
        self.seen += 1
        return {group: {where: self.now[where[0]][0] for where in wheres} for group, wheres in wanted.items()}

    def ends(self, _kafka: Any, topics: list[str]) -> dict[Where, int]:
        return {(topic, 0): self.now[topic][3] for topic in topics}

    def spans(self, _log: Any, wheres: list[Where]) -> dict[Where, Span]:
        return {where: Span(0, self.now[where[0]][2]) for where in wheres}

    def windows(self, _log: Any, windows: Mapping[Where, Window], take: Callable[[Inbound], None], **_: Any) -> None:
        for (topic, partition), window in windows.items():
            for offset in self.now[topic][1]:
                if window.start <= offset < window.end:
                    take(Inbound(topic, partition, offset, None, None))


class Log:
    """What wait_for_rest asks of a log itself."""

    kafka: Any = None
    topics: Any = None
    partitions: Any = None


def watch(monkeypatch: pytest.MonkeyPatch, *looks: dict[str, tuple[int, tuple[int, ...], int, int]]) -> Broker:
    fake = Broker(list(looks))
    monkeypatch.setattr(sending, "input_topics", lambda _topics, name: (INPUTS[name],))
    monkeypatch.setattr(sending, "all_partitions", lambda _log, topics: [(topic, 0) for topic in topics])
    monkeypatch.setattr(sending, "read_committed", fake.committed)
    monkeypatch.setattr(sending, "read_spans", fake.spans)
    monkeypatch.setattr(sending, "read_windows", fake.windows)
    monkeypatch.setattr("tieline.kernel.broker.end_offsets", fake.ends)
    monkeypatch.setattr("time.sleep", fake.slept.append)
    return fake


def look(**topics: tuple[int, tuple[int, ...], int, int]) -> dict[str, tuple[int, tuple[int, ...], int, int]]:
    """Position, offsets with records, end of what is committed, end; empty topics where nothing is said."""
    return {topic: topics.get(topic, (0, (), 0, 0)) for topic in INPUTS.values()}


def test_a_transactions_mark_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = watch(monkeypatch, look(reports=(1, (0,), 2, 2)))
    sending.wait_for_rest(Log(), timeout_secs=1)  # type: ignore[arg-type]  # as much of a log as is asked
    assert fake.seen == 1


def test_what_a_processor_wrote_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = watch(
        monkeypatch,
        look(reports=(0, (0,), 1, 1)),
        look(reports=(1, (0,), 1, 1), identified=(0, (0,), 2, 2)),
        look(reports=(1, (0,), 1, 1), identified=(1, (0,), 2, 2), events=(0, (0,), 2, 2)),
        look(reports=(1, (0,), 1, 1), identified=(1, (0,), 2, 2), events=(1, (0,), 2, 2)),
    )
    sending.wait_for_rest(Log(), timeout_secs=1)  # type: ignore[arg-type]  # as above
    assert fake.seen == 4


def test_an_open_transaction_is_still_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The position of the writer is visible already, the mark on its output is not yet."""
    fake = watch(
        monkeypatch,
        look(reports=(1, (0,), 1, 1), identified=(0, (), 0, 1)),
        look(reports=(1, (0,), 1, 1), identified=(0, (0,), 2, 2)),
        look(reports=(1, (0,), 1, 1), identified=(1, (0,), 2, 2)),
    )
    sending.wait_for_rest(Log(), timeout_secs=1)  # type: ignore[arg-type]  # as above
    assert fake.seen == 3


def test_a_hub_that_does_not_move_is_said_to_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch, look(reports=(0, (0,), 1, 1)))
    with pytest.raises(Stop, match="tieline run identify"):
        sending.wait_for_rest(Log(), timeout_secs=0.01)  # type: ignore[arg-type]  # as above
