"""From the facts to stories: each trouble once, the one that explains others before them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from tieline.kernel.dead_letters import clean
from tieline.kernel.metrics import Measure
from tieline.kernel.troubles import Trouble
from tieline.operating.flow_stories import tell_flows
from tieline.operating.hold_stories import tell_holds
from tieline.operating.process_stories import tell_process
from tieline.operating.processes import ProcessStatus
from tieline.operating.scene import Scene
from tieline.operating.story import Story, counted
from tieline.operating.waiting import count_waiting, start_command

_ORDER = {trouble: place for place, trouble in enumerate(Trouble)}


def tell(scene: Scene) -> list[Story]:
    """Every trouble there is, in the order of ``Trouble``."""
    found = [*_away(scene), *_silent(scene)]
    if not scene.away:
        for process in scene.processes:
            found += tell_process(scene, process)
        found += [*_waiting_for_broker(scene), *tell_flows(scene, found), *tell_holds(scene)]
    return sorted(found, key=lambda story: _ORDER[story.kind])


def _away(scene: Scene) -> Iterator[Story]:
    for away in scene.away:
        # A process that waits for it has not looked for work since: the longest of them knows best. Who has nothing
        # to write does not notice.
        turns = [f.each(Measure.TURN_AGE) for f in scene.workers.values() if f and f.of(Measure.BROKER_AWAY) > 0]
        ages = [secs for each in turns for _, secs in each]
        running = sum(figures is not None for figures in scene.workers.values())
        yield Story(
            Trouble.BROKER_AWAY,
            away.part,
            f"{away.part} {Trouble.BROKER_AWAY.value.words}: {clean(away.why)}",
            scene.at - dt.timedelta(seconds=max(ages)) if ages else None,
            f"everything; {counted(running, 'process', 'processes')} of {len(scene.workers)} run"
            if scene.workers
            else "everything; how the processes are is not known",
            "every process tries again by itself each second and goes on where it stood; nothing is lost",
            f"bring {away.part} back; of the local stack:",
            ("make status", "make up"),
            since_note="when the process that waits longest last looked for work"
            if ages
            else "not known by any process",
        )


def _silent(scene: Scene) -> Iterator[Story]:
    if scene.nobody_answers:
        yield Story(
            Trouble.PROCESS_SILENT,
            "every process",
            f"every process {Trouble.PROCESS_SILENT.value.words}: none shows its metrics on this machine",
            max((p.last_wrote_at for p in scene.processes if p.last_wrote_at), default=None),
            counted(sum(p.lag for p in scene.processes), "record") + " by offset, in all topics",
            "nothing, until they are started; each then goes on where it stood",
            "start them, or ask on the machine that they run on; of the local stack:",
            ("make up",),
            since_note="the last record that one of them wrote",
        )
        return
    known = {process.name: process for process in scene.processes}
    for name in scene.workers:
        if not scene.is_silent(name) or name in scene.gaps:
            continue
        process = known.get(name)
        yield Story(
            Trouble.PROCESS_SILENT,
            name,
            f"{name} {Trouble.PROCESS_SILENT.value.words}: its metrics port does not answer",
            process.last_wrote_at if process else None,
            _unseen(process, scene),
            "nothing, until it is started; it then goes on where it stood, and nothing is lost",
            "read the end of its log, then start it",
            start_command(scene, name),
            since_note="the last record that it wrote",
        )


def _waiting_for_broker(scene: Scene) -> Iterator[Story]:
    waiting = {name: f for name, f in scene.workers.items() if f is not None and f.of(Measure.BROKER_AWAY) > 0}
    if waiting:
        ages = [secs for figures in waiting.values() for _, secs in figures.each(Measure.TURN_AGE)]
        yield Story(
            Trouble.BROKER_AWAY,
            "Kafka or the schema registry",
            f"Kafka or the schema registry {Trouble.BROKER_AWAY.value.words}, say {', '.join(waiting)}",
            scene.at - dt.timedelta(seconds=max(ages)) if ages else None,
            _total(scene, waiting),
            "each tries again by itself every second and goes on where it stood; nothing is lost",
            "if it does not end: why stands in their logs, event broker-waited-for",
        )


def _unseen(process: ProcessStatus | None, scene: Scene) -> str:
    if process is None:
        return "not known"
    system = process.name.removeprefix("source-")
    unread = f"; what {system} changes meanwhile, not counted" if system != process.name else ""
    return f"{count_waiting(process, scene)}{unread}"


def _total(scene: Scene, names: Iterable[str]) -> str:
    lags = [process.lag for process in scene.processes if process.name in set(names)]
    return f"{counted(sum(lags), 'record')} by offset"
