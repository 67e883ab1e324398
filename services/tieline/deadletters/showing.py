"""Letters and plans for people's eyes. Everything that came from outside is made inert before it is printed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieline.deadletters.causes import Cause
from tieline.deadletters.planning import Plan
from tieline.kernel.errors import Rejected
from tieline.kernel.inspecting import LogReader
from tieline.kernel.letters import Book, Letter, Standing, content_of
from tieline.kernel.memory import LetterAction

DUMP_BYTES = 512
CONTENT_CHARS = 20_000
_BYTES_A_LINE = 16
_STYLES = {Standing.OPEN: "bold red", Standing.WAITING: "yellow"}


def inert(text: str, limit: int = 400) -> Text:
    """One line that moves no cursor, changes no colour and is no markup, whatever was in it."""
    line = "".join(ch if ch.isprintable() else "·" for ch in text[: limit + 1])
    return Text(line if len(line) <= limit else line[: limit - 1] + "…")


def age_text(then: dt.datetime, now: dt.datetime) -> str:
    """``42s``, ``17m``, ``5h``, ``3d``."""
    secs = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if secs >= size:
            return f"{secs // size}{unit}"
    return f"{secs}s"


def show_letters(console: Console, book: Book, letters: Sequence[Letter], now: dt.datetime) -> None:
    """A line for each letter."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("ID", "AGE", "KEY", "REASON", "TRY", "STATUS"):
        table.add_column(name, overflow="fold", no_wrap=name in {"ID", "AGE", "TRY", "STATUS"})
    for letter in letters:
        standing = book.stands(letter)
        place = f"{letter.field}: " if letter.field else ""
        table.add_row(
            Text(letter.letter_id),
            age_text(letter.failed_at, now),
            inert(letter.key, 80),
            inert(f"{place}{letter.reason}", 200),
            str(letter.attempt),
            Text(standing, style=_STYLES.get(standing, "")),
        )
    console.print(table if letters else Text("No dead letters."))
    _note_cut(console, book)


def show_causes(console: Console, book: Book, causes: Sequence[Cause]) -> None:
    """A line for each cause."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("CAUSE", "COUNT", "CONSUMER", "REASON", "FIRST", "LAST"):
        table.add_column(name, overflow="fold")
    for cause in causes:
        table.add_row(
            cause.fingerprint,
            str(cause.count),
            cause.consumer,
            inert(cause.reason, 200),
            f"{cause.first:%Y-%m-%d %H:%M:%S}",
            f"{cause.last:%Y-%m-%d %H:%M:%S}",
        )
    console.print(table if causes else Text("No dead letters."))
    _note_cut(console, book)


def show_letter(console: Console, log: LogReader, book: Book, letter: Letter) -> None:
    """Everything that is known of one letter, bounded."""
    case = book.cases.get(letter.letter_id)
    origin = letter.origin
    facts = [
        ("status", str(book.stands(letter))),
        ("came from", origin.coordinates if origin else "not said"),
        ("key", letter.key),
        ("reason", letter.reason),
        ("field", letter.field or "-"),
        ("remedy", letter.remedy or "-"),
        ("attempt", str(letter.attempt)),
        ("failed at", f"{letter.failed_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if case is not None:
        why = f": {case.reason}" if case.reason else ""
        facts.append(("decided", f"{case.action.lower()} by {case.by} at {case.at:%Y-%m-%d %H:%M:%S} UTC{why}"))
    facts += [("in its queue", f"{at + 1}. {where}") for at, (where, _) in enumerate(book.queue(letter)[:20])]
    console.print(Text(letter.letter_id, style="bold"))
    for name, value in facts:
        console.print(Text(f"  {name:<13}").append_text(inert(value, 1000)), soft_wrap=True)
    console.print(Text("headers", style="bold"))
    for name, raw in letter.record.headers[:100]:
        console.print(Text("  ").append_text(inert(f"{name}: {raw.decode('utf-8', 'replace')}")), soft_wrap=True)
    _show_content(console, log, letter)
    console.print(Text("bytes", style="bold"))
    for line in hex_lines(letter.record.value):
        console.print(Text(f"  {line}"), soft_wrap=True)


def hex_lines(value: bytes | None, limit: int = DUMP_BYTES) -> list[str]:
    """Offset, hex and plain ASCII, sixteen bytes a line, at most ``limit`` bytes."""
    if value is None:
        return ["none: a tombstone"]
    lines = []
    for at in range(0, min(len(value), limit), _BYTES_A_LINE):
        chunk = value[at : min(at + _BYTES_A_LINE, limit)]
        plain = "".join(chr(b) if 32 <= b < 127 else "." for b in chunk)  # noqa: PLR2004  - printable ASCII
        lines.append(f"{at:06x}  {chunk.hex(' '):<47}  {plain}")
    if len(value) > limit:
        lines.append(f"… {len(value)} bytes in all")
    return lines


def show_plan(console: Console, plan: Plan) -> None:
    """How many letters go where, and which do not."""
    verb = "replay" if plan.action is LetterAction.REPLAY else "discard"
    console.print(Text(f"{verb}: {len(plan.moves)} letter(s)", style="bold"))
    for topic, count in plan.targets().items():
        console.print(Text(f"  {count} record(s) to {topic}"))
    noted = sum(1 for move in plan.moves if move.target is None)
    if noted:
        console.print(Text(f"  {noted} only noted as {verb}ed; nothing is sent"))
    if plan.refusals:
        console.print(Text(f"refused: {len(plan.refusals)}", style="bold red"))
    for refusal in plan.refusals[:50]:
        line = Text("  ").append_text(inert(refusal.letter_id)).append(": ").append_text(inert(refusal.why))
        console.print(line, soft_wrap=True)


def letters_json(book: Book, letters: Iterable[Letter]) -> str:
    """The letters as a JSON array."""
    rows = [
        {
            "id": letter.letter_id,
            "consumer": letter.consumer,
            "status": str(book.stands(letter)),
            "failed_at": letter.failed_at.isoformat(),
            "key": letter.key,
            "reason": letter.reason,
            "field": letter.field,
            "remedy": letter.remedy,
            "attempt": letter.attempt,
            "origin": letter.origin.coordinates if letter.origin else None,
        }
        for letter in letters
    ]
    return json.dumps(rows, indent=2, ensure_ascii=True)


def _show_content(console: Console, log: LogReader, letter: Letter) -> None:
    try:
        found = content_of(log, letter)
    except Rejected as rejection:
        console.print(Text("content: ", style="bold").append_text(inert(f"cannot be decoded: {rejection}")))
        return
    if found is None:
        return
    name, content = found
    console.print(Text(f"content: {name}", style="bold"))
    # JSON escapes control characters, and everything beyond ASCII with ensure_ascii.
    text = json.dumps(content, indent=2, ensure_ascii=True, default=str)
    cut = "\n… cut" if len(text) > CONTENT_CHARS else ""
    console.print(Text(text[:CONTENT_CHARS] + cut), soft_wrap=True)


def _note_cut(console: Console, book: Book) -> None:
    if book.cut:
        console.print(Text(f"Only the newest {len(book.letters)} letters were looked at; --limit asks for more."))
