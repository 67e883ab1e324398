"""Clauses of reading: nothing lost, nothing invented, nothing without a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from pydantic import BaseModel
from tests.conformance.bench import Bench, amounts_of, golden_folders, golden_item, reports_of, values_of

from tieline.connectors.kit.sandboxing.cases import AMOUNT
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.errors import Rejected, Retryable, TielineError, Unavailable
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.reports import Report

LOST = (Retryable, Unavailable)
# What gateways and overloaded servers answer with status 200 instead of a list.
NO_LIST = ("{}", "", "<html><body>down</body></html>", '{"cut": [1, 2')
FAILURES: tuple[tuple[str, Mapping[str, object]], ...] = (
    *((kind, {}) for kind in ("cut_body", "error_500_before", "error_503")),
    *(("answer", {"text": text}) for text in NO_LIST),
)


async def test_c03_golden_records_are_mapped_as_written_down(bench: Bench, connector: str) -> None:
    mappings = {system: bench.connect_as(system).map_item for system in golden_systems(connector)}
    for folder in golden_folders(connector):
        item, expected = golden_item(folder)
        system = {report["origin"]["system"] for report in reports_of(expected)} or {"sut"}
        mapping = mappings[system.pop()]
        if "rejected" in expected:
            with pytest.raises(Rejected) as caught:
                mapping(item)
            found: object = {"field": caught.value.field, "reason": caught.value.reason}
            assert found == expected["rejected"], folder.name
        else:
            reports = [report.model_dump(mode="json", exclude_none=True) for report in mapping(item)]
            assert reports == reports_of(expected), folder.name


def golden_systems(connector: str) -> set[str]:
    """The names under which the golden records were written down."""
    expected = [golden_item(folder)[1] for folder in golden_folders(connector)]
    return {"sut", *(report["origin"]["system"] for one in expected for report in reports_of(one))}


async def test_c04_a_whole_read_gives_each_record_once(bench: Bench) -> None:
    created = await bench.create(5)
    reading = bench.connect(**bench.case.small_pages)
    before = len(bench.faults.seen)
    assert Counter(item.native_id for item in await bench.whole(reading)) == Counter(created)
    if bench.manifest.api.network:
        assert len(bench.faults.seen) - before >= 3, "five records in pages of two"
    one = await reading.source.read_one(bench.case.stream, created[0])
    assert one is not None
    assert one.native_id == created[0]
    await bench.world.delete(created[0])
    assert await reading.source.read_one(bench.case.stream, created[0]) is None


async def test_c05_reading_of_changes_goes_on_after_a_stop_at_any_page(bench: Bench) -> None:
    await read_with_stops(bench, tick_secs=1)


async def test_c06_equal_times_at_a_pages_border_lose_nothing(bench: Bench) -> None:
    await read_with_stops(bench, tick_secs=0)


async def read_with_stops(bench: Bench, *, tick_secs: float) -> None:
    """A new process after every page; people work on meanwhile, before and behind the page that is read."""
    created = await bench.create(7)
    given: list[RawItem] = []
    position: Mapping[str, str] = {}
    for turn in range(6):
        page = await bench.connect(**bench.case.small_pages).source.read_changes(position, 2)
        given += page.items
        position = page.position
        bench.clock.move(tick_secs)
        await bench.world.edit(created[(turn * 5) % len(created)], turn)
        created += await bench.create(1)
    for _ in range(2):  # the sweep that was under way saw the last edits in part only; the next poll sees them
        rest, position = await bench.drain(bench.connect(**bench.case.small_pages), position)
        given += rest
    reading = bench.connect()
    assert await bench.versions(reading) <= set(bench.said(reading, given))


async def test_c07_a_whole_read_that_fails_at_any_page_raises(bench: Bench) -> None:
    created = await bench.create(5)
    reading = bench.connect(**bench.case.small_pages)
    pages = await bench.calls_of(bench.whole(reading))
    for kind, keys in FAILURES:
        for page in range(1, pages + 1):
            bench.fail(kind, nth=page, **keys)
            given: list[str] = []
            with pytest.raises(LOST):
                await gather_ids(reading, bench.case.stream, given)
            assert set(given) <= set(created), "nothing is invented"
        bench.mend()
        assert sorted(item.native_id for item in await bench.whole(reading)) == sorted(created)


async def gather_ids(connector: Connector, stream: str, given: list[str]) -> None:
    """Native ids as they come, kept also when the read breaks off."""
    async for item in connector.source.read_all(stream):
        given.append(item.native_id)  # noqa: PERF401  - a comprehension would keep nothing of a broken read


async def test_c08_a_read_is_bounded(bench: Bench) -> None:
    await bench.create(60)
    reading = bench.connect(**bench.case.small_pages)
    before = len(bench.faults.seen)
    page = await reading.source.read_changes({}, 2)
    assert 0 < len(page.items) <= 4, "about as many as asked for: whole pages of two"
    assert page.more
    assert len(bench.faults.seen) - before <= 50, "calls of one read"
    if bench.manifest.api.network:
        assert bench.case.short_answers, "the case names the setting that bounds an answer's length"
        with pytest.raises(TielineError):
            await bench.whole(bench.connect(**bench.case.short_answers))
        assert len(await bench.whole(bench.connect())) == 60


async def test_c11_money_comes_back_to_the_last_digit(bench: Bench) -> None:
    [native_id] = await bench.create(1)
    reading = bench.connect()
    item = await reading.source.read_one(bench.case.stream, native_id)
    assert item is not None
    assert AMOUNT in amounts_of(reading.map_item(item)[0])
    [whole] = await bench.whole(reading)
    assert AMOUNT in amounts_of(reading.map_item(whole)[0])


async def test_c12_a_value_of_a_closed_list_that_nobody_knows_is_held(bench: Bench, connector: str) -> None:
    folder = next(one for one in golden_folders(connector) if one.name == bench.case.golden)
    item, _ = golden_item(folder)
    mapping = bench.connect().map_item
    assert "UNKNOWN" in [value for report in mapped(mapping, item) for value in values_of(report)]


def mapped(mapping: Callable[[RawItem], Sequence[Report]], item: RawItem) -> Sequence[Report | Held]:
    """The reports of an item; one that is refused by its field is held: nobody takes it for something known."""
    try:
        return mapping(item)
    except Rejected as rejected:
        return [Held(status="UNKNOWN" if rejected.field else "refused without a place")]


class Held(BaseModel):
    """What waits as a dead letter."""

    status: str


async def test_c13_a_deletion_is_claimed_from_a_complete_read_only(bench: Bench) -> None:
    created = await bench.create(4)
    reading = bench.connect(**bench.case.small_pages)
    _, position = await bench.drain(reading, {})
    bench.clock.move()
    await bench.world.delete(created[0])
    await bench.world.edit(created[1], 1)
    polls = await bench.calls_of(bench.drain(reading, position))
    claimed: set[str] = set()
    for kind, keys in (FAILURES[0], ("answer", {"text": NO_LIST[0]})):
        for step in range(1, polls + 1):
            bench.fail(kind, nth=step, **keys)
            items, after = await bench.drain(reading, position)
            bench.mend()
            more, _ = await bench.drain(reading, after)
            claimed |= deleted(reading, [*items, *more])
    assert claimed == {created[0]}, "it is told, and nothing else is"


def deleted(connector: Connector, items: Sequence[RawItem]) -> set[str]:
    """Native ids of records that are said to be gone."""
    reports = [report for item in items for report in connector.map_item(item)]
    return {report.origin.native_id for report in reports if isinstance(report, AssetReport) and report.deleted}


async def test_c15_reading_of_changes_outlives_every_fault_at_every_step(bench: Bench) -> None:
    await bench.create(3)
    await outlive(bench, "cut_body", bench.connect(**bench.case.small_pages), limit=2)  # half-way through a call, too
    for kind in bench.request_kinds("drop_write", "apply_twice", "cut_body"):
        await outlive(bench, kind, bench.connect(), limit=100)


async def outlive(bench: Bench, kind: str, reading: Connector, *, limit: int) -> None:
    """Read everything with the fault at each call in turn, while records come and go."""
    steps = await bench.calls_of(bench.drain(reading, {}, limit))
    for step in range(1, steps + 1):
        where = f"{kind} at call {step} of {steps}"
        strike = bench.fail_at(kind)
        bench.clock.move()
        [native_id] = await bench.create(1)
        await bench.world.edit(native_id, step)
        strike(step)
        given, position = await bench.drain(reading, {}, limit, where)
        bench.mend()
        rest, _ = await bench.drain(reading, position, 100, where)
        held = await bench.versions(reading)
        assert held <= set(bench.said(reading, [*given, *rest])), where
        there = {native_id for native_id, _ in held}
        assert not there & deleted(reading, [*given, *rest]), f"{where}: what is there was called gone"
        await bench.world.delete(native_id)
