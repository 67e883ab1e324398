"""One trouble as people are told it: what is wrong, since when, what waits, and what happens next. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tieline.kernel.dead_letters import clean
from tieline.kernel.troubles import Trouble

NOT_KNOWN = "not known"
DAY_SECS = 86_400


@dataclass(frozen=True, slots=True)
class Story:
    """One trouble. ``subject`` is what is in trouble: a process, a system, a flow; times are UTC.

    ``since_note`` says what ``since`` is the time of, or why there is none. ``next`` is what the hub does by itself and
    when; ``do`` is what a person does, empty where nothing is to be done, and ``run`` the exact commands for it.
    """

    kind: Trouble
    subject: str
    what: str
    since: dt.datetime | None
    waits: str
    next: str
    do: str = ""
    run: tuple[str, ...] = ()
    since_note: str = ""
    is_minor: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether a person should look after the hub because of it."""
        return self.kind.value.is_fault and not self.is_minor

    def since_text(self, now: dt.datetime) -> str:
        """``2026-03-02 08:01 UTC, 15m ago``."""
        if self.since is None:
            return self.since_note or NOT_KNOWN
        note = f" ({self.since_note})" if self.since_note else ""
        return f"{self.since:%Y-%m-%d %H:%M} UTC, {ago(self.since, now)} ago{note}"

    def lines(self, now: dt.datetime) -> list[tuple[str, str]]:
        """The parts with their names, in the order in which they are told; one line of plain text each."""
        parts = [("since", self.since_text(now)), ("waits", self.waits), ("next", self.next), ("do", self.do)]
        parts += [("run", command) for command in self.run]
        return [(name, clean(text)) for name, text in parts if text]


def ago(then: dt.datetime | None, now: dt.datetime) -> str:
    """``42s``, ``17m``, ``5h``, ``3d``; a dash for never."""
    return "-" if then is None else duration((now - then).total_seconds())


def duration(secs: float) -> str:
    """The same, of seconds."""
    whole = max(0, int(secs))
    for unit, size in (("d", DAY_SECS), ("h", 3_600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def after(secs: float, now: dt.datetime) -> str:
    """``at 08:16:31 UTC``, with the day where it is another one; ``now`` for no time at all."""
    if secs <= 0:
        return "now"
    then = now + dt.timedelta(seconds=secs)
    return f"at {then:%H:%M:%S} UTC" if then.date() == now.date() else f"at {then:%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 command``, ``2 commands``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
