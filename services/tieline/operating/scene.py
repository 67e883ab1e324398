"""Everything that status has seen at one moment: the facts, before anybody says what they mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tieline.operating.flows import FlowStatus
from tieline.operating.holds import Held
from tieline.operating.hours import FlowHour
from tieline.operating.processes import ProcessStatus
from tieline.operating.workers import Workers


@dataclass(frozen=True, slots=True)
class Away:
    """A part the hub cannot do without and that did not answer: ``part`` is Kafka or the schema registry."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The facts at one moment (UTC). ``letters_cut``: older dead letters were not counted.

    ``workers``: what each process says of itself. ``gaps``: what processes can no longer read, by process. ``commands``
    is how each process is started. With anything ``away`` only it and ``workers`` are known.
    """

    at: dt.datetime
    processes: Sequence[ProcessStatus]
    flows: Sequence[FlowStatus]
    letters_cut: bool
    workers: Workers = field(default_factory=dict)
    away: Sequence[Away] = ()
    gaps: Mapping[str, Sequence[str]] = field(default_factory=dict)
    period_holds: Sequence[Held] = ()
    held_reports: Sequence[Held] = ()
    conflicts: Sequence[Held] = ()
    overdue_orders: int = 0
    hours: Sequence[FlowHour] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    metrics_off: bool = False

    @property
    def nobody_answers(self) -> bool:
        """Whether there are metrics ports, and none of them answers."""
        return bool(self.workers) and all(figures is None for figures in self.workers.values())

    def is_silent(self, name: str) -> bool:
        """Whether a process has a metrics port that does not answer."""
        return name in self.workers and self.workers[name] is None
