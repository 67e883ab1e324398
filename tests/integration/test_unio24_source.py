"""The UNIO24 source against the running sandbox: nothing skipped, nothing invented, by poll, by webhook and whole."""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from tests.parts.unio24 import PROFILE, WEBHOOK_SECRET, Unio24Part, free_port, start_unio24

from tieline.connectors.unio24.connector import connect
from tieline.connectors.unio24.demo import Unio24User
from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.book_records import BookReport
from tieline.kernel.cost_records import CostReport
from tieline.kernel.errors import Retryable, Stop, Unavailable
from tieline.kernel.protocols import Connector, Page, RawItem
from tieline.kernel.receiving import WebhookServer

pytestmark = pytest.mark.integration
TODAY = dt.date(2026, 5, 4)
Connecting = Callable[..., Connector]


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Unio24Part]:
    with start_unio24(tmp_path) as running:
        yield running


@pytest.fixture
def user(part: Unio24Part) -> Iterator[Unio24User]:
    with part.user() as signed_in:
        yield signed_in


@pytest.fixture
async def connecting(part: Unio24Part) -> AsyncIterator[Connecting]:
    opened: list[Connector] = []

    def open_one(**more: object) -> Connector:
        opened.append(connect("am", part.settings(**more)))
        return opened[-1]

    yield open_one
    for connector in opened:
        closing = connector.close()
        assert hasattr(closing, "__await__")
        await closing


async def drain(connector: Connector, position: Mapping[str, str], limit: int = 200) -> tuple[list[RawItem], Page]:
    """Everything there is, page by page, each page from the position of the one before."""
    items: list[RawItem] = []
    page = await connector.source.read_changes(position, limit)
    items += page.items
    while page.more:
        page = await connector.source.read_changes(page.position, limit)
        items += page.items
    return items, page


def ids(items: Sequence[RawItem], stream: str = "assets") -> list[str]:
    return [item.native_id for item in items if item.stream == stream]


async def test_a_poll_gives_what_changed_in_order_and_then_nothing(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(page_size=4)
    created = [
        str(user.create_asset(f"Pump {n}", company="1", cost_centre="C", currency="EUR")["id"]) for n in range(10)
    ]
    document = user.maintain(int(created[0]), "Leak", [("part", "Seal", Decimal("5.00"))], TODAY)
    items, page = await drain(connector, {})
    assert ids(items) == created
    assert ids(items, "cost-documents") == [str(document["id"])]
    items, page = await drain(connector, page.position)
    assert items == []
    user.move(int(created[3]), "B")
    items, page = await drain(connector, page.position)
    assert ids(items) == [created[3]]
    [report] = connector.map_item(items[0])
    assert isinstance(report, AssetReport)
    assert (report.fields.location, report.origin.source_version) == ("B", "2")


async def test_pages_are_bounded_by_the_limit(user: Unio24User, connecting: Connecting) -> None:
    for number in range(7):
        user.create_asset(f"Pump {number}")
    page = await connecting().source.read_changes({}, 3)
    assert (len(page.items), page.more) == (3, True)


async def test_more_records_in_one_second_than_a_page_and_a_cap_hold(user: Unio24User, connecting: Connecting) -> None:
    """Page size 1000 is silently capped at 200 by the sandbox; the short page must not look like the last one."""
    created = [str(user.create_asset(f"Pump {n}")["id"]) for n in range(450)]
    items, _ = await drain(connecting(page_size=1000), {}, limit=1000)
    assert ids(items) == created


async def test_edits_within_the_second_that_was_just_read_are_found(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(overlap_secs=0)
    asset = user.create_asset("Pump")
    seen: list[tuple[str, str]] = []
    position: Mapping[str, str] = {}
    for turn in range(30):
        user.edit(asset["id"], name=f"Pump {turn}")
        items, page = await drain(connector, position)
        position = page.position
        for item in items:
            [report] = connector.map_item(item)
            seen.append((report.origin.native_id, report.origin.source_version))
    assert seen[-1] == (str(asset["id"]), "31")
    assert len(seen) == len(set(seen)) == 30


async def test_a_source_killed_between_any_two_pages_resumes_without_loss(
    part: Unio24Part, user: Unio24User, connecting: Connecting
) -> None:
    """Source and sandbox both die after each page; writes go on meanwhile, many with equal timestamps."""
    created = [str(user.create_asset(f"Pump {n}")["id"]) for n in range(25)]
    items: list[RawItem] = []
    position: Mapping[str, str] = {}
    for turn in range(12):
        page = await connecting(page_size=3).source.read_changes(position, 3)
        items += page.items
        position = page.position
        if turn % 3 == 0:
            part.restart()
        user.edit(int(created[(turn * 7) % 25]), name=f"Changed {turn}")
        created.append(str(user.create_asset(f"Late {turn}")["id"]))
    for _ in range(2):  # the sweep that was under way saw the last writes only in part; the next poll sees them
        rest, page = await drain(connecting(), position)
        items += rest
        position = page.position
    mapping = connecting().map_item
    given = {(item.native_id, mapping(item)[0].origin.source_version) for item in items}
    held = {(str(asset["id"]), str(asset["version"])) for asset in user.find_assets()}
    assert held <= given
    assert len(items) == len(given), "an unchanged version was given twice"


async def test_a_poll_that_fails_half_way_moves_nothing(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(page_size=2, read_timeout_secs=1)
    created = [str(user.create_asset(f"Pump {n}")["id"]) for n in range(6)]
    first = await connector.source.read_changes({}, 2)
    for kind, error in (
        ("error_500_before", Retryable),
        ("error_503", Unavailable),
        ("cut_body", Retryable),
        ("timeout_before", Retryable),
        ("error_429", Unavailable),  # last: what comes after it waits as long as was asked
    ):
        user.set_faults({"method": "GET", "path": "/assets$", "kind": kind, "seconds": 3, "retry_after": 2})
        with pytest.raises(error) as caught:
            await connector.source.read_changes(first.position, 2)
        if kind == "error_429":
            assert isinstance(caught.value, Unavailable)
            assert caught.value.retry_after_secs == 2
        user.clear_faults()
    rest, _ = await drain(connector, first.position, 2)
    assert ids(first.items) + ids(rest) == created


async def test_an_unreachable_system_is_unavailable_and_a_refused_token_stops(
    part: Unio24Part, connecting: Connecting
) -> None:
    with pytest.raises(Stop, match="Check the token"):
        await connecting(token="wrong").source.read_changes({}, 10)  # noqa: S106  - wrong on purpose
    part.kill()
    with pytest.raises(Unavailable, match="cannot connect"):
        await connecting().source.read_changes({}, 10)
    part.start()


async def test_a_name_that_does_not_resolve_is_unavailable(connecting: Connecting) -> None:
    with pytest.raises(Unavailable, match="cannot connect"):
        await connecting(endpoint="https://am.invalid", connect_timeout_secs=2).source.read_changes({}, 10)


async def test_an_answer_longer_than_allowed_is_not_read(user: Unio24User, connecting: Connecting) -> None:
    for number in range(60):
        user.create_asset(f"Pump {number}")
    with pytest.raises(Retryable, match="longer than 10000 bytes"):
        await connecting(max_answer_bytes=10_000).source.read_changes({}, 200)


async def test_a_forgotten_page_token_reads_the_sweep_again(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(page_size=2)
    created = [str(user.create_asset(f"Pump {n}")["id"]) for n in range(5)]
    first = await connector.source.read_changes({}, 2)
    text = first.position["assets"]
    token = text.split('"page":"')[1].split('"')[0]
    broken = {**first.position, "assets": text.replace(token, "expired")}
    rest, _ = await drain(connector, broken, 2)
    assert sorted(ids(first.items) + ids(rest), key=int) == created


async def test_one_record_read_by_id(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting()
    asset = user.create_asset("Pump")
    found = await connector.source.read_one("assets", str(asset["id"]))
    assert found is not None
    assert connector.map_item(found)[0].origin.native_id == str(asset["id"])
    user.delete(asset["id"])
    assert await connector.source.read_one("assets", str(asset["id"])) is None
    for nonsense in ("", "..", "x", "1/finance", "9" * 30):
        assert await connector.source.read_one("assets", nonsense) is None
    assert await connector.source.read_one("books", f"{asset['id']}|main") is None


async def test_everything_is_read_whole_or_not_at_all(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(page_size=3)
    created = [str(user.create_asset(f"Pump {n}")["id"]) for n in range(10)]
    assert [item.native_id async for item in connector.source.read_all("assets")] == created
    pages = {"method": "GET", "path": "/assets$"}
    for kind, error in (("cut_body", Retryable), ("error_500_before", Retryable), ("error_503", Unavailable)):
        reading = connector.source.read_all("assets")
        assert [(await anext(reading)).native_id for _ in range(3)] == created[:3]
        user.set_faults({**pages, "kind": kind})
        with pytest.raises(error):
            await anext(reading)
        user.clear_faults()


async def test_a_list_that_turns_in_circles_raises(user: Unio24User, connecting: Connecting, tmp_path: Path) -> None:
    """A profile that names the wrong token parameter gets page one for ever; that must not pass for the whole."""
    for number in range(5):
        user.create_asset(f"Pump {number}")
    text = PROFILE.read_text(encoding="utf-8").replace("token_parameter: page_token", "token_parameter: page_tokn")
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    connector = connecting(page_size=2, profile=str(tmp_path / "wrong.yaml"))
    with pytest.raises(Retryable, match="a page token came again"):
        [item async for item in connector.source.read_all("assets")]


async def test_books_and_costs_are_read_and_mapped(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting()
    asset = user.create_asset("Press", company="1000", cost_centre="CC-1", currency="EUR")
    panel = {"currency": "EUR", "method": "SL", "cost": "100.00", "residual_value": "0.00", "accumulated": "10.00"}
    line = {
        "date": "2026-01-31",
        "depreciation": "10.00",
        "accumulated": "10.00",
        "book_value": "90.00",
        "posted": True,
    }
    user.put_panel(asset["id"], {**panel, "book_value": "90.00", "as_of": "2026-01-31", "lines": [line]})
    document = user.maintain(asset["id"], "Leak", [("labour", "Hour", Decimal("48.05"))], TODAY)
    reversal = user.reverse_costs(document["id"], TODAY)
    [book] = [connector.map_item(item)[0] async for item in connector.source.read_all("books")]
    assert isinstance(book, BookReport)
    assert (book.origin.native_id, book.asset_native_id) == (f"{asset['id']}|main", str(asset["id"]))
    assert (book.fields.net_book_value, len(book.fields.lines)) == (Decimal("90.00"), 1)
    costs = [connector.map_item(item)[0] async for item in connector.source.read_all("cost-documents")]
    amounts = [(c.origin.native_id, c.fields.total, c.fields.reversal_of) for c in costs if isinstance(c, CostReport)]
    assert amounts == [
        (str(document["id"]), Decimal("48.05"), None),
        (str(reversal["id"]), Decimal("-48.05"), str(document["id"])),
    ]
    assert (await connector.source.read_changes({}, 100)).items[-1].stream == "cost-documents"


async def test_assignment_condition_and_audit_are_changes_of_the_asset(
    user: Unio24User, connecting: Connecting
) -> None:
    connector = connecting()
    asset, gone = user.create_asset("Laptop", site="A"), user.create_asset("Never found", site="A")
    _, page = await drain(connector, {})
    told: list[AssetFields] = []

    async def hear() -> None:
        nonlocal page
        items, page = await drain(connector, page.position)
        for report in (connector.map_item(item)[0] for item in items if item.stream == "assets"):
            assert isinstance(report, AssetReport)
            told.append(report.fields)

    user.check_out(asset["id"], "E-7")
    await hear()
    user.report_condition(asset["id"], "poor")
    await hear()
    user.check_in(asset["id"])
    await hear()
    user.audit("A", [asset["tag"]], mark_lost=True)
    await hear()
    assert [(f.custodian, f.condition, f.physical_status) for f in told] == [
        ("E-7", None, PhysicalStatus.IN_SERVICE),
        ("E-7", "poor", PhysicalStatus.IN_SERVICE),
        (None, "poor", PhysicalStatus.IN_STORE),
        (None, None, PhysicalStatus.MISSING),
    ]
    assert told[-1].tag == gone["tag"]


async def test_webhooks_announce_and_a_lost_one_is_recovered_by_the_poll(
    user: Unio24User, connecting: Connecting
) -> None:
    port = free_port()
    connector = connecting(
        webhook_port=port,
        webhook_secret=WEBHOOK_SECRET,
        webhook_callback_url=f"http://127.0.0.1:{port}/webhooks/unio24",
    )
    assert connector.webhook is not None
    announced: queue.Queue[tuple[str, str]] = queue.Queue()
    server = WebhookServer(connector.webhook, announced, structlog.get_logger())
    server.start()
    try:
        _, page = await drain(connector, {})  # the first poll subscribes
        await connector.source.read_changes(page.position, 10)
        subscriptions = user.journal(object="subscription")
        assert len(subscriptions) == 1
        asset = user.create_asset("Pump")
        assert announced.get(timeout=5) == ("assets", str(asset["id"]))
        user.set_faults({"method": "POST", "path": "/assets$", "kind": "lose_webhook"})
        lost = user.create_asset("Unheard")
        await asyncio.sleep(0.3)
        assert announced.empty()
        items, _ = await drain(connector, page.position)
        assert ids(items) == [str(asset["id"]), str(lost["id"])]
    finally:
        server.close()


async def test_an_outage_while_subscribing_does_not_stop_the_poll(user: Unio24User, connecting: Connecting) -> None:
    connector = connecting(webhook_secret=WEBHOOK_SECRET, webhook_callback_url="http://127.0.0.1:9/hook")
    user.create_asset("Pump")
    user.set_faults({"path": "/webhooks$", "kind": "error_503"})
    items, page = await drain(connector, {})
    assert len(items) == 1
    assert user.journal(object="subscription") == []
    await drain(connector, page.position)
    assert len(user.journal(object="subscription")) == 1
