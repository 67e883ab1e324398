"""A system's own records by name (locations, status labels), read when a name is asked for that is not known."""

from __future__ import annotations

import html
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field

from tieline.connectors.kit.paths import Record
from tieline.kernel.errors import Rejected

REFRESH_SECS = 60.0  # a name that is not there is looked for again after so long, not at every record

ReadNames = Callable[[], AsyncIterator[tuple[str, str | int]]]
"""Names with their ids, all of them."""


@dataclass(slots=True)
class _List:
    ids: Mapping[str, str | int] = field(default_factory=dict)
    doubled: Collection[str] = ()
    read_at_secs: float | None = None


class Lookups:
    """Names of several kinds. ``load`` before ``id_of``: the first asks the system, the second only memory.

    Names are compared without regard to case and outer spaces. A name that two records have names neither.
    """

    def __init__(self, readers: Mapping[str, ReadNames], *, monotonic: Callable[[], float] | None = None) -> None:
        self._readers = readers
        self._monotonic = monotonic or time.monotonic
        self._lists = {kind: _List() for kind in readers}

    async def load(self, kind: str, name: str | None) -> None:
        """Read the names of a kind if ``name`` (None: any) is not among those known, at most once a minute."""
        known = self._lists[kind]
        now = self._monotonic()
        if known.read_at_secs is not None and (
            name is None or _same(name) in known.ids or now - known.read_at_secs < REFRESH_SECS
        ):
            return
        ids: dict[str, str | int] = {}
        doubled: set[str] = set()
        async for found, native_id in self._readers[kind]():
            if ids.setdefault(_same(found), native_id) != native_id:
                doubled.add(_same(found))
        self._lists[kind] = _List(ids, doubled, now)

    def id_of(self, kind: str, name: str) -> str | int | None:
        """The id behind a name; raises ``Rejected`` for one that several records have."""
        known = self._lists[kind]
        if _same(name) in known.doubled:
            raise Rejected(f"several records there are called {name[:60]!r}", field=kind, remedy="rename all but one")
        return known.ids.get(_same(name))


def named(record: Record, name: str = "name", native_id: str = "id", *, escaped: bool = False) -> tuple[str, str | int]:
    """Name and id of a record; ``escaped``: the system escapes its answers for HTML."""
    found, text = record.get(native_id), str(record.get(name) or "")
    return html.unescape(text) if escaped else text, found if isinstance(found, int) else str(found)


def _same(name: str) -> str:
    return name.strip().casefold()
