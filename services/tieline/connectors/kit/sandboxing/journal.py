"""The journal: every effect a sandbox ever had, appended and never altered; what tests count instead of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Stop

MAX_PAGE = 10_000
_BEGINNING = b'{"seq": '


Detail = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect before it is witnessed. ``reference`` is the caller's own name for the thing, if it gave one."""

    action: str
    object: str
    object_id: str | int
    reference: str | None = None
    request_id: str | None = None
    detail: Detail = field(default_factory=dict)


class Journal:
    """Effects in the order they took place, numbered from 1 (``seq``); with a file they outlive the process.

    The file has one JSON object a line and is written before the caller is answered. A line that the death of the
    process cut short was never answered: it is dropped when the file is opened again.
    """

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._entries: list[dict[str, object]] = []
        self._file = None
        if path is not None:
            content = path.read_bytes() if path.exists() else b""
            self._entries = _entries(content, path)
            self._file = path.open("ab")
            self._file.truncate(content.rfind(b"\n") + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def note(self, effect: Effect) -> None:
        """Append one effect."""
        entry = {"seq": len(self._entries) + 1, "at": self._clock().isoformat(), **asdict(effect)}
        if self._file is not None:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
        self._entries.append(entry)

    def read(self, after: int, limit: int) -> list[dict[str, object]]:
        """At most ``limit`` entries whose number is above ``after``, in order."""
        return self._entries[after : after + limit]


def _entries(content: bytes, path: Path) -> list[dict[str, object]]:
    whole, _, cut = content.rpartition(b"\n")
    try:
        entries = [json.loads(line) for line in whole.splitlines()]
    except ValueError:
        entries = [None]
    numbered = all(isinstance(entry, dict) and entry.get("seq") == seq for seq, entry in enumerate(entries, 1))
    if not numbered or not (cut.startswith(_BEGINNING) or _BEGINNING.startswith(cut)):
        raise Stop(f"{path} is no journal of a sandbox; give another file")
    return entries


def asked_page(query: Mapping[str, str]) -> tuple[int, int]:
    """``after`` and ``limit`` of a query, 0 and 1000 unless given; raises ``Refusal`` (400)."""
    found = []
    for name, default in (("after", "0"), ("limit", "1000")):
        text = query.get(name, default)
        if not text.isascii() or not text.isdigit() or len(text) > 15:  # noqa: PLR2004  - beyond any journal
            raise Refusal(400, f"{name} must be a whole number")
        found.append(int(text))
    return found[0], min(found[1], MAX_PAGE)
