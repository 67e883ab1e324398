"""Pages of a list, in the ways that vendors page: by offset, by number, by cursor, and as OData has it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from tieline.connectors.kit.sandboxing.answers import Refusal

_LONGEST_NUMBER = 9
_MOST = 10**9
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows ``start`` to ``start + len(rows)`` of ``total``; ``size`` is the page's size after the cap."""

    rows: Sequence[T]
    start: int
    size: int
    total: int

    @property
    def has_more(self) -> bool:
        """Whether rows follow."""
        return self.start + len(self.rows) < self.total


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a page has: the query's name for it, the size without, and the most.

    More than the most is lowered without a word, as most vendors do, or refused.
    """

    name: str
    default: int
    most: int
    refuse: bool = False

    def of(self, query: Mapping[str, str]) -> int:
        """The size asked for; raises ``Refusal`` (400)."""
        asked = whole(query, self.name, self.default, least=1)
        if asked > self.most and self.refuse:
            raise Refusal(400, f"{self.name} must be at most {self.most}", field=self.name)
        return min(asked, self.most)


def whole(query: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    """A whole number of a query; raises ``Refusal`` (400)."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text[: _LONGEST_NUMBER + 1]) < least:
        raise Refusal(400, f"{name} must be a whole number of at least {least}", field=name)
    return min(int(text[: _LONGEST_NUMBER + 1]), _MOST)


def by_offset(rows: Sequence[T], query: Mapping[str, str], size: Size, offset: str = "offset") -> Page[T]:
    """``?offset=40&limit=20``; raises ``Refusal`` (400)."""
    start, count = whole(query, offset, 0), size.of(query)
    return Page(rows[start : start + count], start, count, len(rows))


def by_number(rows: Sequence[T], query: Mapping[str, str], size: Size, page: str = "page") -> Page[T]:
    """``?page=3&per_page=20``, the first page being 1; raises ``Refusal`` (400)."""
    count = size.of(query)
    start = (whole(query, page, 1, least=1) - 1) * count
    return Page(rows[start : start + count], start, count, len(rows))


def by_cursor(
    rows: Sequence[T], key: Callable[[T], str | int], query: Mapping[str, str], size: Size, cursor: str = "cursor"
) -> tuple[Sequence[T], str | None]:
    """``?cursor=…&limit=20``: rows, which stand in the order of ``key``, after the cursor's; and the next cursor.

    What is added or removed before the cursor shifts nothing. Raises ``Refusal`` (400).
    """
    count = size.of(query)
    if cursor in query:
        last = _opened(query[cursor], cursor)
        rows = [row for row in rows if _is_after(key(row), last, cursor)]
    found = rows[:count]
    return found, _sealed(key(found[-1])) if len(rows) > count else None


@dataclass(frozen=True, slots=True)
class ODataPage(Generic[T]):
    """One answer of an OData list. ``next_query`` is the query of ``@odata.nextLink``, None on the last page."""

    rows: Sequence[T]
    count: int | None
    next_query: str | None


def by_odata(rows: Sequence[T], query: Mapping[str, str], most: int) -> ODataPage[T]:
    """``$top``, ``$skip``, ``$count`` and the server's own paging, ``most`` rows a time, by ``$skiptoken``.

    ``$count`` counts all rows, whatever ``$top`` and ``$skip`` are (OData 4.01, URL conventions 5.1.7). The token says
    where the next page begins and how many rows ``$top`` leaves. Raises ``Refusal`` (400).
    """
    wanted = query.get("$count", "false")
    if wanted not in ("true", "false"):
        raise Refusal(400, "$count must be true or false", field="$count")
    start, left = whole(query, "$skip", 0), whole(query, "$top", _MOST)
    if "$skiptoken" in query:
        match _opened(query["$skiptoken"], "$skiptoken"):
            case [int(start), int(left)] if start >= 0 and left >= 0:
                pass
            case _:
                raise Refusal(400, "$skiptoken is not one of ours", field="$skiptoken")
    found = rows[start : start + min(left, most)]
    after, left = start + len(found), left - len(found)
    again = {name: text for name, text in query.items() if name not in ("$skip", "$top", "$skiptoken")}
    more = left > 0 and after < len(rows)
    next_query = urlencode({**again, "$skiptoken": _sealed([after, left])}, safe="$") if more else None
    return ODataPage(found, len(rows) if wanted == "true" else None, next_query)


def _sealed(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _opened(token: str, name: str) -> object:
    try:
        return json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise Refusal(400, f"{name} is not one of ours", field=name) from None


def _is_after(key: str | int, last: object, name: str) -> bool:
    if isinstance(key, int) and isinstance(last, int):
        return key > last
    if isinstance(key, str) and isinstance(last, str):
        return key > last
    raise Refusal(400, f"{name} is not one of ours", field=name)
