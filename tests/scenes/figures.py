"""What a scene has found: figures with their bounds, and the table of docs/reports/scenes.md. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing found. ``wanted`` is the bound in words; ``holds`` is None for what has none."""

    name: str
    found: str
    wanted: str = ""
    holds: bool | None = None


@dataclass(slots=True)
class Result:
    """A scene's run. ``size`` says in words how much of what; ``faults`` are told one by one.

    ``meaning`` says what it means that something does not hold.
    """

    scene: str
    size: str
    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    meaning: str = ""
    command: str = ""
    machine: str = ""
    day: str = ""
    wall_secs: float = 0.0

    def note(self, name: str, found: object, wanted: str = "", *, holds: bool | None = None) -> None:
        """Add a figure."""
        self.figures.append(Figure(name, str(found), wanted, holds))

    @property
    def is_good(self) -> bool:
        """Whether every bound holds and nothing is at fault."""
        return not self.faults and all(figure.holds is not False for figure in self.figures)

    def to_json(self) -> str:
        """As it is kept between runs."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The inverse of ``to_json``."""
        found = json.loads(text)
        return cls(**{**found, "figures": [Figure(**one) for one in found["figures"]]})


_HEAD = """\
# Scenes: one promise each, at size

Each scene starts a broker (`commits`: three), a registry and the product's own processes, does one thing many times,
and compares what was sent with what the log and the target's journal hold. `make scene NAME=… SIZE=…` runs one again
and writes this page; `python -m tests.scenes --help` tells what each does. The random run of everything at once is
[chaos](chaos.md)."""


def write_page(results: Sequence[Result]) -> str:
    """The page, as Markdown: a table of all, then each scene's figures."""
    rows = [("scene", "command", "size", "machine", "figures found", "what it means"), ("---",) * 6]
    rows += [
        (
            one.scene,
            f"`{one.command}`",
            one.size,
            one.machine,
            _short(one),
            _meaning(one),
        )
        for one in results
    ]
    lines = [_HEAD, "", *(_row(row) for row in rows), ""]
    for one in results:
        lines += [f"## {one.scene}", "", f"{one.size}, on {one.day}, in {one.wall_secs:.0f} s.", ""]
        lines += [_row(("figure", "found", "wanted", "holds")), _row(("---",) * 4)]
        lines += [_row((figure.name, figure.found, figure.wanted, _yes(figure.holds))) for figure in one.figures]
        lines += ["", *(f"- {fault}" for fault in one.faults[:30]), *([""] if one.faults else [])]
    return "\n".join(lines)


def _short(result: Result) -> str:
    bound = [figure for figure in result.figures if figure.holds is not None]
    return "; ".join(f"{figure.name} {figure.found}" for figure in bound)


def _meaning(result: Result) -> str:
    if result.is_good:
        return "holds"
    return f"**does not hold**: {result.meaning}" if result.meaning else "**does not hold**"


def _yes(holds: bool | None) -> str:  # noqa: FBT001  - the value shown
    return "" if holds is None else "yes" if holds else "**no**"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
