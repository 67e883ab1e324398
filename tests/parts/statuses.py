"""Status of an estate in memory, and what its stories say."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import cast

from rich.console import Console
from tests.simulation.estate import Estate, declared

from tieline.kernel.fleet import processes
from tieline.kernel.inspecting import Hub, LogReader, all_partitions
from tieline.kernel.letters import input_topics
from tieline.operating.scene import Away
from tieline.operating.showing import WIDTH, show_status
from tieline.operating.status import Status, read_status
from tieline.operating.story import Story
from tieline.operating.workers import Workers, read_figures


def look_at(hub: Estate, *, down: Collection[str] = (), away: Sequence[Away] = ()) -> Status:
    """What ``tieline status`` sees of a hub in memory whose processes all show their metrics but those ``down``."""
    plan, topics = declared()
    seen = SimpleNamespace(landscape=plan, topics=topics, codec=hub.codec, partitions=hub.log.partitions)
    figures = read_figures(hub.metrics.expose().decode())
    workers: Workers = {spec.name: None if spec.name in down else figures for spec in processes(plan)}
    with LogReader(cast("Hub", seen)) as log:
        follow_views(hub, log)
        return read_status(
            log,
            hub.time.now,
            workers=lambda _: workers,
            look=lambda _: list(away),
            hours=lambda *_: [],
            sleep=lambda _: None,
        )


def follow_views(hub: Estate, log: LogReader) -> None:
    """The live views do not run here: they stand where the log ends."""
    for where in all_partitions(log, input_topics(log.topics, "views")):
        hub.log.committed["tieline.views", where] = len(hub.log.at(where))


def story_of(status: Status, name: str) -> Story:
    """The one story of that trouble."""
    [story] = [story for story in status.stories if str(story.kind) == name]
    return story


def names_of(status: Status) -> list[str]:
    """The troubles that are told, in their order."""
    return [str(story.kind) for story in status.stories]


def printed(status: Status) -> str:
    """The status as a terminal of ``WIDTH`` columns without colour shows it."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    show_status(console, status)
    text = cast("io.StringIO", console.file).getvalue()
    return "\n".join(line.rstrip() for line in text.splitlines())
