"""What changed since: nothing is lost, whatever order equal times come in, and nothing is claimed gone too early."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from tieline.connectors.kit.changes import Changes, appended, compared, newest_first, since, together
from tieline.connectors.kit.paging import Listed
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.streams import Stream, StreamSource, gone_at, parse_record
from tieline.connectors.kit.watermarks import Seen
from tieline.kernel.errors import Rejected, Stop, Unavailable

START = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
OVERLAP = dt.timedelta(seconds=2)


def at(record: Record) -> dt.datetime:
    return START + dt.timedelta(seconds=int(str(record["at"])))


def seen(record: Record, _stand_in: dt.datetime) -> Seen:
    return Seen(str(record["id"]), str(record["v"]), at(record))


def name_of(record: Record) -> str:
    return str(record["id"])


@dataclass
class Register:
    """Records in a system that sorts by time or by number, in pages, equal times in any order."""

    size: int = 3
    now: int = 0
    rows: dict[int, dict[str, int]] = field(default_factory=dict)
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  - a repeatable order
    asked: list[str] = field(default_factory=list)

    def write(self, number: int, secs: int = 1) -> None:
        self.now += secs
        version = self.rows.get(number, {"v": 0})["v"] + 1
        self.rows[number] = {"id": number, "at": self.now, "v": version}

    async def newest(self, token: str | None) -> Listed:
        self.asked.append("newest")
        rows = list(self.rows.values())
        self.dice.shuffle(rows)
        rows.sort(key=lambda row: -row["at"])
        return self.page(rows, token)

    async def by_number(self, token: str | None) -> Listed:
        self.asked.append("by number")
        after = int(token or "0")
        rows = [self.rows[number] for number in sorted(self.rows) if number > after]
        more = str(rows[self.size - 1]["id"]) if len(rows) > self.size else None
        return Listed(rows[: self.size], more, made_at=START + dt.timedelta(seconds=self.now))

    def page(self, rows: list[dict[str, int]], token: str | None) -> Listed:
        start = int(token or "0")
        more = str(start + self.size) if start + self.size < len(rows) else None
        return Listed(rows[start : start + self.size], more, made_at=START + dt.timedelta(seconds=self.now))

    def held(self) -> set[tuple[int, int]]:
        return {(row["id"], row["v"]) for row in self.rows.values()}

    async def poll(self, cursor: str | None) -> Changes:
        return await newest_first(cursor, self.newest, self.by_number, seen, overlap=OVERLAP)


async def drain(register: Register, cursor: str | None) -> tuple[list[tuple[int, int]], str]:
    given: list[tuple[int, int]] = []
    for _ in range(100):
        changes = await register.poll(cursor)
        given += [(int(str(record["id"])), int(str(record["v"]))) for record in changes.records]
        cursor = changes.cursor
        if not changes.more:
            return given, cursor
    raise AssertionError("it never ends")


async def test_a_first_load_is_whole_and_a_poll_gives_what_changed_once() -> None:
    register = Register(size=5)
    for number in range(1, 8):
        register.write(number)
    given, cursor = await drain(register, None)
    assert set(given) == register.held()
    assert len(given) == 7
    register.write(2, secs=10)
    register.asked.clear()
    given, cursor = await drain(register, cursor)
    assert given == [(2, 2)]
    assert register.asked == ["newest"], "one page is enough"
    assert (await drain(register, cursor))[0] == []


@pytest.mark.parametrize("seed", range(10))
async def test_people_work_on_while_pages_are_read_and_equal_times_have_no_order(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  - a repeatable day
    register = Register(dice=random.Random(seed + 1))  # noqa: S311  - a repeatable order
    given: set[tuple[int, int]] = set()
    cursor: str | None = None
    for _ in range(60):
        for _ in range(dice.randrange(5)):
            register.write(dice.randrange(1, 15), secs=dice.choice((0, 0, 1)))
        changes = await register.poll(cursor)
        given |= {(int(str(record["id"])), int(str(record["v"]))) for record in changes.records}
        cursor = changes.cursor
    register.now += 10
    given |= set((await drain(register, cursor))[0])
    assert register.held() <= given


async def test_a_burst_beyond_a_page_is_read_in_the_order_of_the_number_and_ends() -> None:
    register = Register()
    for number in range(1, 10):
        register.write(number)
    _, cursor = await drain(register, None)
    register.now += 100
    for number in range(1, 8):
        register.write(number, secs=0)
    given, cursor = await drain(register, cursor)
    assert sorted(given) == [(number, 2) for number in range(1, 8)], "each once, though all have one time"
    assert (await drain(register, cursor))[0] == []


async def test_a_filter_on_the_time_is_asked_from_the_mark_and_a_lost_token_restarts_the_sweep() -> None:
    rows = [{"id": number, "at": number, "v": 1} for number in range(1, 6)]
    asked: list[tuple[int, str | None]] = []

    async def fetch(begin: dt.datetime, token: str | None) -> Listed:
        asked.append((round((begin - START).total_seconds()), token))
        if token == "lost":  # noqa: S105  - of a page
            raise Rejected("no such cursor")
        found = [row for row in rows if START + dt.timedelta(seconds=row["at"]) >= begin]
        return Listed(found[:3], "lost" if len(found) > 3 else None, made_at=START + dt.timedelta(seconds=60))

    changes = await since(None, fetch, seen, overlap=OVERLAP)
    assert ([record["id"] for record in changes.records], changes.more) == ([1, 2, 3], True)
    del rows[:3]
    changes = await since(changes.cursor, fetch, seen, overlap=OVERLAP)
    assert [record["id"] for record in changes.records] == [4, 5]
    assert asked[1][1:] == ("lost",)
    assert asked[2][1] is None
    assert (await since(changes.cursor, fetch, seen, overlap=OVERLAP)).records == []
    assert asked[-1][0] == 3, "the newest time, less the overlap"


async def test_a_system_that_refuses_to_list_changes_stops_the_source() -> None:
    async def fetch(_begin: dt.datetime, _token: str | None) -> Listed:
        raise Rejected("no such field")

    with pytest.raises(Stop, match="refuses to list changes"):
        await since(None, fetch, seen, overlap=OVERLAP)


async def test_a_log_is_read_on_from_its_last_entry() -> None:
    log = [{"id": number} for number in range(1, 6)]

    async def fetch(token: str | None) -> Listed:
        start = int((token or "0").partition("|")[0])
        rows = log[start : start + 2]
        resume = f"{start + len(rows) - 1}|{rows[-1]['id']}" if rows else token
        return Listed(rows, resume if start + 2 < len(log) else None, resume=resume)

    given: list[object] = []
    cursor: str | None = None
    for turn in range(9):
        changes = await appended(cursor, fetch, lambda record: int(str(record["id"])))
        given += [record["id"] for record in changes.records]
        cursor = changes.cursor
        if turn == 6:
            log.append({"id": 6})
    assert given == [1, 2, 3, 4, 5, 6]
    assert not changes.more


@dataclass
class Listing:
    """A list that can only be read whole; ``fails`` breaks off at that page."""

    rows: dict[str, str] = field(default_factory=dict)
    fails: int | None = None

    async def fetch(self, token: str | None) -> Listed:
        start = int(token or "0")
        if self.fails is not None and start >= self.fails:
            raise Unavailable("down")
        names = sorted(self.rows)
        rows = [{"id": name, "text": self.rows[name], "age": "shown anew"} for name in names[start : start + 2]]
        return Listed(rows, str(start + 2) if start + 2 < len(names) else None)

    async def poll(self, cursor: str | None) -> Changes:
        return await compared(cursor, self.fetch, name_of, lambda record: record["text"])


async def everything(listing: Listing, cursor: str | None) -> tuple[list[str], list[str], str]:
    """Names of what changed and of what is gone, and the cursor after."""
    given: list[str] = []
    while True:
        changes = await listing.poll(cursor)
        given += [name_of(record) for record in changes.records]
        cursor = changes.cursor
        if not changes.more:
            return given, list(changes.gone), cursor


async def test_a_list_without_any_time_is_compared_and_tells_what_is_gone() -> None:
    listing = Listing({"a": "1", "b": "1", "c": "1"})
    given, gone, cursor = await everything(listing, None)
    assert (given, gone) == (["a", "b", "c"], [])
    assert (await everything(listing, cursor))[0] == []
    listing.rows = {"a": "1", "b": "2", "d": "1"}
    given, gone, cursor = await everything(listing, cursor)
    assert (given, gone) == (["b", "d"], ["c"])
    assert (await everything(listing, cursor))[:2] == ([], [])


async def test_a_reading_that_breaks_off_claims_nothing_gone_and_forgets_nothing() -> None:
    listing = Listing(dict.fromkeys("abcdef", "1"))
    _, _, cursor = await everything(listing, None)
    listing.rows = {"e": "1", "f": "1", "g": "1"}
    listing.fails = 2
    with pytest.raises(Unavailable):
        await listing.poll(cursor)
    listing.fails = None
    given, gone, _ = await everything(listing, cursor)
    assert (given, gone) == (["g"], ["a", "b", "c", "d"])


async def test_a_long_list_is_read_over_several_calls_and_its_end_tells_what_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tieline.connectors.kit.changes.PAGES_PER_CALL", 1)
    listing = Listing(dict.fromkeys("abcdef", "1"))
    cursor: str | None = None
    turns: list[tuple[list[str], bool, list[str]]] = []
    for turn in range(6):
        changes = await listing.poll(cursor)
        cursor = changes.cursor
        turns.append(([name_of(record) for record in changes.records], changes.more, list(changes.gone)))
        if turn == 2:
            del listing.rows["f"]
    assert turns[:3] == [(["a", "b"], True, []), (["c", "d"], True, []), (["e", "f"], False, [])]
    assert turns[3:] == [([], True, []), ([], True, []), ([], False, ["f"])]


@pytest.mark.parametrize("cursor", ["", "{}", "not ours", "c-2$+", "[1]"])
async def test_a_position_that_is_not_ours_stops(cursor: str) -> None:
    with pytest.raises(Stop, match="reset the stream's position"):
        await Listing({"a": "1"}).poll(cursor)


async def test_lists_that_are_one_stream_go_on_each_from_its_own_place() -> None:
    active, archived = Listing({"a": "1"}), Listing({"z": "1"})
    parts = {"active": active.poll, "archived": archived.poll}
    first = await together(None, parts)
    archived.rows["y"] = "1"
    second = await together(first.cursor, parts)
    assert [name_of(record) for record in (*first.records, *second.records)] == ["a", "z", "y"]
    with pytest.raises(Stop):
        await together("[]", parts)


def source_of(listings: Mapping[str, Listing]) -> StreamSource:
    async def one(native_id: str) -> Record | None:
        if native_id == "refused":
            raise Rejected("is not an id")
        return {"id": native_id} if native_id != "gone" else None

    async def nothing() -> AsyncIterator[Record]:
        for row in list[Record]():
            yield row

    def keep(record: Record) -> Record:
        return {key: value for key, value in record.items() if key != "age"}

    streams = {name: Stream(name_of, one, nothing, listing.poll, keep) for name, listing in listings.items()}
    return StreamSource(streams, lambda: START)


async def test_what_was_read_before_the_system_failed_is_given_and_then_the_failure_told() -> None:
    listings = {"first": Listing({"a": "1"}), "second": Listing({"b": "1"}, fails=0)}
    page = await source_of(listings).read_changes({}, 10)
    assert ([item.native_id for item in page.items], set(page.position), page.more) == (["a"], {"first"}, True)
    listings["first"].fails = 0
    with pytest.raises(Unavailable):
        await source_of(listings).read_changes(page.position, 10)


async def test_a_source_gives_streams_in_their_order_and_says_where_it_stands() -> None:
    listings = {"first": Listing({"a": "1", "b": "1"}), "second": Listing({"c": "1"})}
    source = source_of(listings)
    page = await source.read_changes({}, 2)
    assert [(item.stream, item.native_id) for item in page.items] == [("first", "a"), ("first", "b")]
    assert page.more, "the second stream waits"
    assert set(page.position) == {"first"}
    page = await source.read_changes(page.position, 2)
    assert [item.native_id for item in page.items] == ["c"]
    assert page.items[0].payload == b'{"id":"c","text":"1"}', "what is not kept is not captured"
    del listings["first"].rows["a"]
    [gone] = (await source.read_changes(page.position, 2)).items
    assert (gone.native_id, gone_at(parse_record(gone))) == ("a", START)
    assert await source.read_one("first", "gone") is None
    assert await source.read_one("first", "refused") is None
    with pytest.raises(Stop, match="there is no stream third"):
        await source.read_one("third", "1")
