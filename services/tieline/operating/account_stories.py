"""What is left of the calls that a system's account allows a process, and the story when nothing is. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from tieline.kernel.metrics import Measure
from tieline.kernel.troubles import Trouble
from tieline.operating.processes import ProcessStatus
from tieline.operating.scene import Scene
from tieline.operating.story import Story, after
from tieline.operating.workers import Figures

DAY = "day"
_ALIKE_SECS = 2.0
PATIENCE_SECS = 60.0
"""The hub's own spacing of calls: what lasts no longer is how a quota is kept, and no fault."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Calls that a process may still make of its part: ``name`` is ``60s`` and the like, or ``day``."""

    process: str
    system: str
    name: str
    left: int
    reset_secs: float

    @property
    def words(self) -> str:
        """``of the day``, ``of 60s``."""
        return "of the day" if self.name == DAY else f"of {self.name}"


def pools_of(scene: Scene) -> Iterator[Pool]:
    """Every pool that is counted over time, in the order of the processes."""
    for name, figures in scene.workers.items():
        if figures is not None:
            yield from _pools(name, figures)


def account_story(
    scene: Scene, process: ProcessStatus, figures: Figures, *, since: dt.datetime | None, waits: str
) -> Story | None:
    """The story of an account that gives no call now; None where it does. ``since``: when the process was held up."""
    system = process.name.partition("-")[2]
    closed_secs = figures.of(Measure.CALLS_CLOSED, consumer=process.name, system=system)
    if closed_secs <= 0:
        return None
    pools = list(_pools(process.name, figures))
    # Of the day, what does not wait for anybody leaves a part to what does: then it is closed until the day ends.
    day = next(
        (p for p in pools if p.name == DAY and (p.left <= 0 or abs(p.reset_secs - closed_secs) < _ALIKE_SECS)), None
    )
    chosen = day or next((p for p in pools if p.left <= 0), None)
    if chosen is None:
        why = "it refuses them, there were too many"
        do = f"nothing; if it goes on, quota under systems.{system} in the landscape is more than the account allows"
    else:
        kept = f", but for {chosen.left} kept for changes that somebody waits for" if chosen.left > 0 else ""
        why = f"those {chosen.words} are spent{kept}"
        do = f"nothing, unless its vendor allows more: quota under systems.{system} in the landscape"
    reset = f"; they are counted anew {after(day.reset_secs, scene.at)}" if day else ""
    return Story(
        Trouble.CALLS_SPENT,
        system,
        f"{system} {Trouble.CALLS_SPENT.value.words} to {process.name}: {why}",
        since,
        waits,
        f"the hub calls again by itself {after(closed_secs, scene.at)}{reset}; nothing is lost",
        do,
        since_note="" if since else "within the last stretch of its quota",
        is_minor=since is None and closed_secs <= PATIENCE_SECS,
    )


def _pools(name: str, figures: Figures) -> Iterator[Pool]:
    resets = {
        (labels["system"], labels["pool"]): secs
        for labels, secs in figures.each(Measure.QUOTA_RESET)
        if labels["consumer"] == name
    }
    for labels, left in figures.each(Measure.QUOTA_LEFT):
        where = (labels["system"], labels["pool"])
        if labels["consumer"] == name and where in resets:
            yield Pool(name, *where, int(left), resets[where])
