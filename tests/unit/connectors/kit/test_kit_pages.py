"""Pages in every form, and what may be called a complete read (Invariant 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import httpx
import pytest
from tests.unit.connectors.kit.kit_api import Server, answer

from tieline.connectors.kit.client import Api, Request
from tieline.connectors.kit.paging import (
    Listed,
    Paging,
    by_cursor,
    by_key,
    by_link,
    by_link_header,
    by_number,
    by_odata,
    by_offset,
    read_page,
    read_whole,
)
from tieline.connectors.kit.paths import Record
from tieline.kernel.errors import Retryable

ROWS = [{"id": number} for number in range(1, 8)]
Give = Callable[[Mapping[str, str]], httpx.Response]


def number_of(record: Record) -> int:
    return int(str(record["id"]))


def name_of(record: Record) -> str:
    return str(record["id"])


async def whole(server: Server, paging: Paging, size: int = 3, *, counted: bool = False) -> list[str]:
    api = server.api()
    fetch = partial(one_page, api, paging, size)
    return [name_of(record) async for record in read_whole(fetch, name_of, counted=counted)]


async def one_page(api: Api, paging: Paging, size: int, token: str | None) -> Listed:
    return await read_page(api, Request("GET", "/items", {"fixed": "1"}), paging, token, size)


def serving(give: Give) -> Server:
    def answering(request: httpx.Request) -> httpx.Response:
        assert request.url.params.get("fixed") == "1" or "link" in request.url.params
        return give(dict(request.url.params))

    return Server(answering=answering)


def window(query: Mapping[str, str], cap: int = 3) -> list[dict[str, int]]:
    start = int(query.get("offset", "0"))
    return ROWS[start : start + min(int(query["limit"]), cap)]


ALL = [str(number) for number in range(1, 8)]


async def test_offset_with_a_total_a_flag_or_neither() -> None:
    server = serving(lambda q: answer(200, {"rows": window(q), "total": 7}))
    assert await whole(server, by_offset(rows="rows", total="total")) == ALL
    assert [request.url.params["offset"] for request in server.seen] == ["0", "3", "6"]
    flag = serving(lambda q: answer(200, {"rows": window(q), "hasMore": int(q["offset"]) < 6}))
    assert await whole(flag, by_offset(rows="rows", more="hasMore")) == ALL
    neither = serving(lambda q: answer(200, {"rows": window(q)}))
    assert await whole(neither, by_offset(rows="rows"), size=5) == ALL, "a cap of 3 is no end"


async def test_rows_that_go_while_pages_are_read_hide_no_other_row() -> None:
    rows = list(ROWS)

    def give(query: Mapping[str, str]) -> httpx.Response:
        start, size = int(query["offset"]), int(query["limit"])
        found = answer(200, {"rows": rows[start : start + size], "total": len(rows)})
        if start == 0 and len(rows) == 7:
            del rows[:2]  # what was given already goes; the others move up
        return found

    assert await whole(serving(give), by_offset(rows="rows", total="total", anchor=number_of)) == ALL
    rows[:] = ROWS
    plain = by_offset(rows="rows", total="total")
    assert await whole(serving(give), plain) == ["1", "2", "3", "6", "7"], "without an anchor two are skipped"
    rows[:] = ROWS
    with pytest.raises(Retryable, match="the list changed while it was read"):
        await whole(
            serving(lambda q: give(q) if q["offset"] == "0" else answer(200, {"rows": [], "total": 7})),
            plain,
            counted=True,
        )


async def test_an_anchor_whose_own_row_is_gone_is_no_reason_to_begin_anew() -> None:
    rows = list(ROWS)

    def give(query: Mapping[str, str]) -> httpx.Response:
        start, size = int(query["offset"]), int(query["limit"])
        found = answer(200, {"rows": rows[start : start + size], "total": len(rows)})
        if start == 0 and len(rows) == 7:
            rows.remove({"id": 3})
        return found

    server = serving(give)
    assert await whole(server, by_offset(rows="rows", total="total", anchor=number_of)) == ALL
    offsets = [int(request.url.params["offset"]) for request in server.seen]
    assert offsets[:4] == [0, 2, 0, 2], "a step back, and on from there"


async def test_page_numbers() -> None:
    def give(query: Mapping[str, str]) -> httpx.Response:
        start = (int(query["page"]) - 1) * 3
        return answer(200, {"d": {"rows": ROWS[start : start + 3]}, "pages": 3, "total": 7})

    for paging in (
        by_number(rows="d.rows", last="pages"),
        by_number(rows="d.rows", total="total"),
        by_number(rows="d.rows"),
    ):
        assert await whole(serving(give), paging) == ALL


def linked(link: Callable[[int], str]) -> Server:
    def give(query: Mapping[str, str]) -> httpx.Response:
        start = int(query.get("link", "0"))
        more = {"@odata.nextLink": link(start + 3), "next": link(start + 3), "page": {"cursor": start + 3}}
        return answer(200, {"value": ROWS[start : start + 3], **(more if start < 6 else {})})

    return serving(give)


@pytest.mark.parametrize(
    "link",
    [
        lambda start: f"https://erp.example.com/base/items?link={start}&$top=2",
        lambda start: f"/base/items?link={start}",
        lambda start: f"items?link={start}",
    ],
)
async def test_links_whole_or_relative_as_odata_allows(link: Callable[[int], str]) -> None:
    server = linked(link)
    assert await whole(server, by_odata()) == ALL
    assert {request.url.path for request in server.seen} == {"/base/items"}
    assert await whole(linked(link), by_link(rows="value", link="next")) == ALL


async def test_odata_version_2_counts_as_it_is_asked() -> None:
    server = Server([answer(200, {"d": {"results": ROWS[:2], "__count": "2"}})])
    page = await read_page(server.api(), Request("GET", "/items"), by_odata(version=2, count=True), None, 10)
    assert (page.total, page.next_token, len(page.records)) == (2, None, 2)
    assert server.seen[0].url.params["$inlinecount"] == "allpages"


async def test_a_link_header() -> None:
    def give(query: Mapping[str, str]) -> httpx.Response:
        start = int(query.get("link", "0"))
        here = "<https://erp.example.com/base/items?link="
        links = f'{here}0>; rel="first", {here}{start + 3}>;rel="next"'
        return answer(200, ROWS[start : start + 3], **({"link": links} if start < 6 else {}))

    assert await whole(serving(give), by_link_header()) == ALL


async def test_a_cursor_and_a_key() -> None:
    def cursor(query: Mapping[str, str]) -> httpx.Response:
        start = int(query.get("cursor", "0"))
        return answer(200, {"rows": ROWS[start : start + 3], "next": str(start + 3) if start < 6 else ""})

    assert await whole(serving(cursor), by_cursor(rows="rows", cursor="next")) == ALL

    def after(query: Mapping[str, str]) -> httpx.Response:
        last = int(query.get("q", ">0").removeprefix(">"))
        return answer(200, {"rows": [row for row in ROWS if row["id"] > last][:2]})

    keyed = by_key(rows="rows", key=name_of, after=lambda key: {"q": f">{key}"})
    assert await whole(serving(after), keyed) == ALL


@pytest.mark.parametrize("body", [{}, {"rows": None}, {"rows": [1]}, {"rows": {"id": 1}}, []])
async def test_an_answer_that_is_not_the_list_proves_nothing(body: object) -> None:
    with pytest.raises(Retryable):
        await whole(Server([answer(200, body)]), by_offset(rows="rows", total="total"))


async def test_a_list_in_a_circle_is_not_read_for_ever() -> None:
    server = serving(lambda _query: answer(200, {"rows": ROWS[:3], "next": "again"}))
    with pytest.raises(Retryable, match="a page token came again"):
        await whole(server, by_cursor(rows="rows", cursor="next"))


async def test_a_token_never_leads_back_while_nothing_goes() -> None:
    server = serving(lambda q: answer(200, {"rows": window(q), "total": 7}))
    assert await whole(server, by_offset(rows="rows", total="total", anchor=number_of)) == ALL
    offsets = [int(request.url.params["offset"]) for request in server.seen]
    assert all(one < other for one, other in pairwise(offsets))
