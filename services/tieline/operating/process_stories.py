"""The stories of one process: what keeps it, what it could not do, what it is about to lose. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from tieline.kernel.dead_letters import clean
from tieline.kernel.letters import Letter
from tieline.kernel.memory import KeyState, ParkedKey
from tieline.kernel.metrics import Measure
from tieline.kernel.parking import coordinates_of
from tieline.kernel.troubles import Trouble
from tieline.operating.account_stories import account_story
from tieline.operating.processes import ProcessStatus, State
from tieline.operating.scene import Scene
from tieline.operating.story import Story, after, ago, counted, duration
from tieline.operating.waiting import count_waiting, start_command
from tieline.operating.workers import Figures

_LONGEST_REASON = 160


def tell_process(scene: Scene, process: ProcessStatus) -> list[Story]:
    """Every trouble of one process; that it does not move is told only where no other of them explains it."""
    figures = scene.workers.get(process.name)
    found = [*_gap(scene, process), *_parked(scene, process), *_letters(process), *_expiry(scene, process)]
    if figures is not None:
        system = process.name.partition("-")[2]
        if process.name.startswith("sink-"):
            found += _target(scene, process, system, figures)
        elif process.name.startswith("source-"):
            found += _source(scene, process, system, figures)
    explained = any(story.kind not in _BESIDES for story in found)
    if not explained and not scene.is_silent(process.name):
        found += _movement(scene, process, figures)
    return found


# What a process can have while it works on: none of it says why it would not move.
_BESIDES = {Trouble.KEY_PARKED, Trouble.KEY_DRAINING, Trouble.DEAD_LETTER, Trouble.RECORDS_EXPIRE}


def _gap(scene: Scene, process: ProcessStatus) -> Iterator[Story]:
    gaps = scene.gaps.get(process.name, ())
    if gaps:
        more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        name = process.name
        yield Story(
            Trouble.GAP,
            name,
            f"{name} {Trouble.GAP.value.words}: {gaps[0]}{more}",
            process.last_wrote_at,
            count_waiting(process, scene),
            "nothing goes on by itself: the process ends rather than jump",
            "look; let it go on without what is missing; start it; compare the systems",
            (
                f"tieline positions show {name}",
                f"tieline positions accept-gap {name}",
                *start_command(scene, name),
                "tieline reconcile run",
            ),
            since_note="the last record that it wrote" if process.last_wrote_at else "",
        )


def _target(scene: Scene, process: ProcessStatus, system: str, figures: Figures) -> Iterator[Story]:
    paused_secs = figures.of(Measure.PAUSED_AGE, target=system)
    retries_secs = figures.of(Measure.RETRIES_WAIT, target=system)
    keys = int(figures.of(Measure.RETRYING_KEYS, target=system))
    since = scene.at - dt.timedelta(seconds=paused_secs) if paused_secs > 0 else None
    closed = account_story(scene, process, figures, since=since, waits=count_waiting(process, scene))
    if closed is not None:
        yield closed
    elif since is not None:
        spent = "; its retries are spent too" if retries_secs > 0 else ""
        yield Story(
            Trouble.TARGET_PAUSED,
            system,
            f"{system} {Trouble.TARGET_PAUSED.value.words}: it does not answer as it should{spent}",
            since,
            count_waiting(process, scene),
            f"the hub asks {system} again by itself {_next(figures, system, scene)}, with one command for all; "
            "nothing is lost, and all of it goes on when it answers",
            f"bring {system} back; why it is paused stands in the log of {process.name}, event target-paused",
        )
    elif retries_secs > 0 and keys:
        yield Story(
            Trouble.RETRIES_SPENT,
            system,
            f"{system} {Trouble.RETRIES_SPENT.value.words}: its retries of the last minute are spent",
            None,
            f"{counted(keys, 'key')} whose first command failed; {count_waiting(process, scene)}",
            f"the hub tries the next of them again by itself {after(retries_secs, scene.at)}; what is new goes out",
            f"see how {system} is: many of its calls fail",
            since_note="within the last minute",
        )


def _source(scene: Scene, process: ProcessStatus, system: str, figures: Figures) -> Iterator[Story]:
    failing_secs = figures.of(Measure.SOURCE_FAILING_AGE, system=system)
    since = scene.at - dt.timedelta(seconds=failing_secs) if failing_secs > 0 else None
    unread = f"what {system} changed in the last {duration(figures.of(Measure.POLL_AGE, system=system))}; not counted"
    closed = account_story(scene, process, figures, since=since, waits=unread)
    if closed is not None:
        yield closed
    elif since is not None:
        yield Story(
            Trouble.SOURCE_UNAVAILABLE,
            system,
            f"{system} {Trouble.SOURCE_UNAVAILABLE.value.words}: it does not answer, or turns the read down",
            since,
            unread,
            f"the hub reads it again by itself {after(figures.of(Measure.NEXT_READ, system=system), scene.at)}, "
            "from where it stood; nothing is lost",
            f"bring {system} back; why stands in the log of {process.name}, event source-unavailable",
        )


def _parked(scene: Scene, process: ProcessStatus) -> Iterator[Story]:
    system = process.name.removeprefix("sink-")
    doubtful = {
        (flow.flow.object, known) for flow in scene.flows if flow.flow.target == system for known in flow.in_doubt
    }
    ids = {letter.origin.coordinates: letter.letter_id for letter in process.letters if letter.origin}
    for kind, state in ((Trouble.KEY_PARKED, KeyState.PARKED), (Trouble.KEY_DRAINING, KeyState.DRAINING)):
        # Those that nobody knows the outcome of are told by themselves (flow_stories.py).
        told = [row for row in process.parked if (row.entity, row.canonical_id) not in doubtful]
        rows = sorted((row for row in told if row.state is state), key=lambda row: row.since)
        if not rows:
            continue
        behind = sum(max(0, len(row.letters) - 1) for row in rows)
        first = ids.get(_head(rows[0]))
        keys = counted(len(rows), "key")
        verb = "waits" if len(rows) == 1 else "wait"
        if state is KeyState.PARKED:
            yield Story(
                kind,
                system,
                f"{keys} of {system} {verb} {kind.value.words}: {_reason(rows[0])}",
                rows[0].since,
                f"{counted(len(rows), 'refused command')}, {counted(behind, 'command')} behind in order, "
                f"the oldest for {ago(rows[0].since, scene.at)}",
                f"nothing of these keys goes on until a person decides; everything else of {system} goes on",
                "look at the first letter of each key, mend the cause, then replay it: its followers go with it",
                _decide(first, process.name, len(rows)),
            )
        else:
            yield Story(
                kind,
                system,
                f"{keys} of {system} {verb} {kind.value.words}: its followers go out, one by one",
                rows[0].since,
                f"{counted(behind + len(rows), 'command')} in order, the oldest for {ago(rows[0].since, scene.at)}",
                "the hub sends those that were replayed by itself, each when the one before it is done",
                "if it does not end, see which letter it stands at",
                (f"tieline dead-letters list --consumer {process.name}",),
                since_note="when the key was parked",
            )


def _letters(process: ProcessStatus) -> Iterator[Story]:
    heads = {_head(row) for row in process.parked}
    # The letters of parked keys are told with their keys.
    letters = [one for one in process.letters if one.origin is None or one.origin.coordinates not in heads]
    if letters:
        killers = sum(letter.quarantined for letter in letters)
        killing = f"; {counted(killers, 'record')} would end the process, so nobody decodes it" if killers else ""
        oldest = min(letters, key=lambda letter: letter.failed_at)
        newest = letters[0]
        yield Story(
            Trouble.DEAD_LETTER,
            process.name,
            f"{process.name} {Trouble.DEAD_LETTER.value.words} {counted(len(letters), 'record')}: "
            f"{_said(newest)}{killing}",
            oldest.failed_at,
            f"{counted(len(letters), 'dead letter')}, kept as they came",
            "nothing happens to them until a person decides; the process goes on with all others",
            f"{newest.remedy or 'look what is wrong with it, and mend that'}; then replay, or discard",
            _decide(newest.letter_id, process.name, len(letters)),
        )


def _expiry(scene: Scene, process: ProcessStatus) -> Iterator[Story]:
    expiry = process.expiry
    if expiry is not None and expiry.is_near:
        yield Story(
            Trouble.RECORDS_EXPIRE,
            process.name,
            f"{process.name} {Trouble.RECORDS_EXPIRE.value.words}: {expiry.share_left:.0%} of the time that its topic "
            "keeps the oldest is left",
            process.oldest_waiting_at or min((row.since for row in process.parked), default=None),
            count_waiting(process, scene),
            f"the oldest is deleted unread at {expiry.at:%Y-%m-%d %H:%M} UTC; the process then stops with a gap",
            "mend what it waits for until then, or raise retention.ms of the topic",
            ("tieline topics plan", "tieline topics apply"),
            since_note="when the oldest was written",
        )


def _movement(scene: Scene, process: ProcessStatus, figures: Figures | None) -> Iterator[Story]:
    name = process.name
    if process.state is State.STALLED:
        turn_secs = figures.of(Measure.TURN_AGE, consumer=name) if figures else 0.0
        system = name.partition("-")[2]
        keys = int(figures.of(Measure.RETRYING_KEYS, target=system)) if figures else 0
        if keys:
            next_step = f"the hub tries {counted(keys, 'key')} again by itself, whose first command failed"
        elif figures is None:
            next_step = "not known: it is stopped, or its target is paused; with metrics_port this would say which"
        else:
            next_step = f"not known: it runs, and last looked for work {duration(turn_secs)} ago"
        yield Story(
            Trouble.PROCESS_STALLED,
            name,
            f"{name} {Trouble.PROCESS_STALLED.value.words}, though there is work",
            process.oldest_waiting_at,
            count_waiting(process, scene),
            next_step,
            "read the end of its log; restart it if that does not say why",
            start_command(scene, name),
            since_note="when the oldest that waits was written",
        )
    elif process.state is State.BEHIND:
        yield Story(
            Trouble.PROCESS_BEHIND,
            name,
            f"{name} {Trouble.PROCESS_BEHIND.value.words}: it moves, but what it reads has waited",
            process.oldest_waiting_at,
            count_waiting(process, scene),
            "it catches up by itself unless more comes in than it can do",
            "see whether it gets less",
            ("tieline status --watch",),
            since_note="when the oldest that waits was written",
        )


def _next(figures: Figures, system: str, scene: Scene) -> str:
    return after(figures.of(Measure.NEXT_PROBE, target=system), scene.at)


def _head(row: ParkedKey) -> str:
    """Where the record of the first letter came from."""
    return coordinates_of(row.letters[0]) if row.letters else ""


def _reason(row: ParkedKey) -> str:
    return f"{row.entity} {clean(row.canonical_id)}: {clean(row.reason)[:_LONGEST_REASON]}"


def _said(letter: Letter) -> str:
    place = f"{letter.field}: " if letter.field else ""
    return f"{place}{letter.reason}"[:_LONGEST_REASON]


def _decide(letter_id: str | None, consumer: str, count: int) -> tuple[str, ...]:
    listed = f"tieline dead-letters list --consumer {consumer}"
    if letter_id is None:
        return (listed,)
    one = (f"tieline dead-letters show {letter_id}", f"tieline dead-letters replay {letter_id}")
    return (listed, *one) if count > 1 else one
