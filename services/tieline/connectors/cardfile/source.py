"""Reads a folder of card statements. The position is the folder's content and how many of its lines were given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping

from tieline.connectors.cardfile.mapping import STREAM, raw_item
from tieline.connectors.cardfile.settings import Settings
from tieline.connectors.cardfile.statements import Line, number_lines, read_statement
from tieline.kernel.errors import Rejected, Unavailable
from tieline.kernel.protocols import Page, RawItem


class CardfileSource:
    """See ``Source``. One faulty statement stops the reading of all: the ordinals are counted over all of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. When a statement was added, all lines are given again: equal documents change nothing."""
        contents = self._contents()
        state = hashlib.sha256("".join(sorted(contents)).encode()).hexdigest()
        given = _given(position.get(STREAM), state)
        lines = _numbered(contents)
        page = lines[given : given + max(limit, 1)]
        after = given + len(page)
        cursor = json.dumps({"content": state, "given": after})
        return Page([raw_item(line) for line in page], {STREAM: cursor}, more=after < len(lines))

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        lines = _numbered(self._contents()) if stream == STREAM else []
        return next((raw_item(line) for line in lines if line.native_id == native_id), None)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``. Every statement is read before the first line is given (Invariant 12)."""
        for line in _numbered(self._contents()) if stream == STREAM else []:
            yield raw_item(line)

    def _contents(self) -> dict[str, tuple[str, bytes]]:
        """File name and bytes by their hash: a statement that lies there twice, renamed, is one."""
        found: dict[str, tuple[str, bytes]] = {}
        try:
            if not self._settings.folder.is_dir():
                raise Unavailable(f"the folder of the statements is not there: {self._settings.folder.name}")
            for path in sorted(self._settings.folder.glob("*.csv")):
                content = path.read_bytes()
                found.setdefault(hashlib.sha256(content).hexdigest(), (path.name, content))
        except OSError as error:
            raise Unavailable(f"the statements cannot be read: {error.strerror}") from error
        return found


def _numbered(contents: Mapping[str, tuple[str, bytes]]) -> list[Line]:
    return number_lines(read_statement(file, content) for file, content in contents.values())


def _given(cursor: str | None, state: str) -> int:
    if cursor is None:
        return 0
    try:
        known = json.loads(cursor)
        return int(known["given"]) if known["content"] == state else 0
    except (ValueError, KeyError, TypeError):
        raise Rejected("the stored position is not ours", field=STREAM, remedy="reset the stream's position") from None
