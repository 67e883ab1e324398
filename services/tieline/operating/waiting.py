"""What waits for a process, and how it is started, in words. Pure."""

from __future__ import annotations

from tieline.operating.processes import ProcessStatus
from tieline.operating.scene import Scene
from tieline.operating.story import ago, counted


def count_waiting(process: ProcessStatus, scene: Scene) -> str:
    """What a process has to do, counted, and since when the oldest waits."""
    if process.oldest_waiting_at is None:
        return "nothing waits for it now"
    target = process.name.removeprefix("sink-")
    flows = [flow for flow in scene.flows if f"sink-{flow.flow.target}" == process.name]
    pending = sum(flow.pending for flow in flows)
    oldest = f"the oldest for {ago(process.oldest_waiting_at, scene.at)}"
    if not pending:
        return f"{counted(process.lag, 'record')} by offset, {oldest}"
    least = "at least " if any(flow.pending_is_least for flow in flows) else ""
    return f"{least}{counted(pending, 'command')} for {target}, {oldest}"


def start_command(scene: Scene, name: str) -> tuple[str, ...]:
    """The command that starts a process; none where it is not known."""
    command = scene.commands.get(name)
    return () if command is None else (command,)
