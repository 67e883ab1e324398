"""docs/reports/chaos.md, from the figures of the parts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.history import RULES
from tests.chaos.load import FLOWS
from tests.chaos.result import Result, Trial

_MEANING = {
    "lost": "sent and confirmed, but on no event topic",
    "doubled": "a second event or effect of one version",
    "reordered": "an event or effect after one of a newer version of its key",
    "aborted": "an event or effect that no committed record accounts for",
    "unseen": "an event whose effect the target does not hold at the end",
    "buried": "a dead letter",
    "crashed": "an end of a process that nobody caused, and that was not the end of one that had been replaced",
}


_HOW = """\
Three flows go from reports to effects at two targets: assets and books into the UNIO24 sandbox (its journal is the
witness), cost documents into a ledger that books whatever it is sent. Every stage is the product's own process, run by
its own command; `tests/chaos` wraps the Kafka client and the connector from outside. Clients reach the brokers through
a proxy that reads Kafka's frames. Beside each chunk a twentieth of it is said again of what was said before."""
_ON_TRIAL = """\
The same harness on products of which one line was taken away (`tests/chaos/broken.yaml`, `make chaos BROKEN=all`): a
checker that reports nothing of them would prove nothing above."""
_COLUMNS = (
    *("part", "seed", "events"),
    *(f"effects: {flow}" for flow in FLOWS),
    *("kills", "starts", "faults", "wall s", "in trouble s", "processor s"),
)


class Setting(NamedTuple):
    """What the run was: its command, and the machine's class."""

    command: str
    day: str
    machine: str
    versions: str
    parts: int
    """Of which the page may have some only."""


def write_page(setting: Setting, results: Sequence[Result], trials: Sequence[Trial] = ()) -> str:
    """The page, as Markdown."""
    faults = [fault for result in results for fault in result.faults]
    lines = [
        "# Chaos: real processes, three brokers, and an adversary",
        "",
        f"Written by `{setting.command}` on {setting.day}. {setting.machine}. {setting.versions}.",
        "",
        _HOW,
        "",
        _so_far(setting.parts, results),
        "",
        *_table(_COLUMNS, (_row(number, one) for number, one in enumerate(results, 1))),
        "",
        "## Faults",
        "",
        *_table(("rule", "what it means", "found"), _by_rule(faults)),
        "",
        *(f"- {fault}" for fault in faults[:50]),
        *([""] if faults else []),
        "## What was done",
        "",
        *_table(("kill -9 at", "times"), _sums(result.kills for result in results)),
        "",
        *_table(("frozen (SIGSTOP), replaced, woken; at", "times"), _sums(result.freezes for result in results)),
        "",
        *_table(("else", "times"), _sums(result.strikes for result in results)),
        "",
        f"{sum(one.fenced for one in results)} copies that had been replaced found out, and ended.",
        f"{sum(one.repeated for one in results)} transactions were given up, and their work was done again.",
        "",
        *(_trial_lines(trials) if trials else []),
    ]
    return "\n".join(lines)


def _so_far(parts: int, results: Sequence[Result]) -> str:
    events, kills = sum(one.events for one in results), sum(sum(one.kills.values()) for one in results)
    said = f"{len(results)} of {parts} parts were run: {events} events and {kills} kills."
    return said if len(results) == parts else f"{said} The others were not; the same command runs what is missing."


def _trial_lines(trials: Sequence[Trial]) -> list[str]:
    head = ("name", "what is broken", "caught", "reported", "events", "kills", "for example")
    return [
        "## The checker on trial",
        "",
        _ON_TRIAL,
        "",
        *_table(head, (_trial_row(trial) for trial in trials)),
        "",
    ]


def _trial_row(trial: Trial) -> tuple[object, ...]:
    found = ", ".join(f"{rule} {count}" for rule, count in sorted(trial.found.items()))
    said = trial.example.replace("|", "\\|")
    return trial.name, trial.breaks, "yes" if trial.is_caught else "no", found, trial.events, trial.kills, said


def _row(number: int, one: Result) -> tuple[object, ...]:
    effects = (one.effects[flow] for flow in FLOWS)
    kills = sum(one.kills.values())
    return (
        number,
        one.seed,
        one.events,
        *effects,
        kills,
        one.starts,
        len(one.faults),
        one.wall_secs,
        one.phases.get("trouble", ""),
        one.processor_secs,
    )


def _by_rule(faults: Sequence[str]) -> list[tuple[object, ...]]:
    counts = Counter(fault.partition(":")[0] for fault in faults)
    return [(rule, _MEANING[rule], counts[rule]) for rule in (*RULES, "crashed")]


def _sums(many: Iterable[Mapping[str, int]]) -> list[tuple[object, ...]]:
    total = Counter[str]()
    for one in many:
        total.update(one)
    return [*sorted(total.items()), ("together", total.total())]


def _table(head: Sequence[str], rows: Iterable[tuple[object, ...]]) -> list[str]:
    marks = ["---"] * len(head)
    return [f"| {' | '.join(map(str, row))} |" for row in (head, marks, *rows)]
