"""The stories of flows: what nobody knows the outcome of, and promises that are not kept. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from tieline.kernel.metrics import Measure
from tieline.kernel.troubles import Trouble
from tieline.operating.scene import Scene
from tieline.operating.story import Story, counted, duration

_DELAYS = {
    Trouble.PROCESS_SILENT,
    Trouble.GAP,
    Trouble.TARGET_PAUSED,
    Trouble.CALLS_SPENT,
    Trouble.RETRIES_SPENT,
    Trouble.PROCESS_STALLED,
    Trouble.PROCESS_BEHIND,
}
"""What delays everything of a target: a parked key does not."""


def tell_flows(scene: Scene, told: Sequence[Story]) -> Iterator[Story]:
    """Of every flow; that one is late is told only where nothing ``told`` explains it."""
    yield from _in_doubt(scene)
    explained = {story.subject for story in told if story.kind in _DELAYS and not story.is_minor}
    for flow in scene.flows:
        target = flow.flow.target
        late_secs = _late_secs(scene, flow.flow.object, flow.flow.source, target)
        is_explained = bool(explained & {target, f"sink-{target}", "every process"})
        if late_secs > flow.flow.latency_target_secs and not is_explained:
            yield Story(
                Trouble.FLOW_LATE,
                flow.flow.name,
                f"{flow.flow.name} {Trouble.FLOW_LATE.value.words}: a change may take "
                f"{duration(flow.flow.latency_target_secs)}",
                scene.at - dt.timedelta(seconds=late_secs),
                f"{counted(flow.pending, 'command')}, the oldest for {duration(late_secs)}",
                f"sink-{target} goes on by itself, in order",
                "see whether it gets less; a slow target shows in tieline_call_duration_seconds",
                ("tieline status --watch",),
            )
        if flow.is_slow:
            yield Story(
                Trouble.FLOW_SLOW,
                flow.flow.name,
                f"{flow.flow.name} {Trouble.FLOW_SLOW.value.words}: 1 of 20 changes took "
                f"{flow.recent_p95_secs or 0.0:.0f}s or more, promised are {flow.flow.latency_target_secs:g}s",
                None,
                f"{counted(flow.pending, 'command')} now",
                "it ends by itself when the changes of the last quarter of an hour were quicker",
                "see whether it gets less; a slow target shows in tieline_call_duration_seconds",
                ("tieline status --watch",),
                since_note=f"over {counted(flow.recent_samples, 'change')} of the last quarter of an hour",
            )


def _in_doubt(scene: Scene) -> Iterator[Story]:
    # Flows of one object into one target share their deliveries.
    for flow in {(one.flow.object, one.flow.target): one for one in scene.flows if one.in_doubt}.values():
        target, count = flow.flow.target, len(flow.in_doubt)
        sink = f"sink-{target}"
        parked = [row for process in scene.processes if process.name == sink for row in process.parked]
        mine = [row for row in parked if row.entity == flow.flow.object and row.canonical_id in flow.in_doubt]
        behind = sum(max(0, len(row.letters) - 1) for row in mine)
        yield Story(
            Trouble.DELIVERY_IN_DOUBT,
            target,
            f"{target} {Trouble.DELIVERY_IN_DOUBT.value.words} {counted(count, 'command')} of {flow.flow.object}: "
            "no answer came, and none could be read back",
            flow.in_doubt_since,
            f"{counted(count, 'command')}, {counted(behind, 'command')} behind in order",
            f"nothing is sent again by itself; everything else of {target} goes on",
            f"when {target} answers, replay them: each is read back before anything is sent",
            (f"tieline dead-letters list --consumer {sink}",),
        )


def _late_secs(scene: Scene, kind: str, source: str, target: str) -> float:
    figures = scene.workers.get(f"sink-{target}")
    return figures.of(Measure.UNSETTLED_AGE, object=kind, source=source, target=target) if figures else 0.0
