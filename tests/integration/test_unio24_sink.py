"""The UNIO24 sink against the running sandbox: one effect per command, whatever happens on the way."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from itertools import count

import pytest
from tests.parts.unio24 import PROFILE, Unio24Part, start_unio24

from tieline.connectors.unio24.connector import connect
from tieline.connectors.unio24.demo import Unio24User
from tieline.connectors.unio24.sandbox import PLAYABLE
from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable
from tieline.kernel.protocols import Connector, Written
from tieline.kernel.vocabulary import Dispatch, Money

pytestmark = pytest.mark.integration
numbers = count(1)
Connecting = Callable[..., Connector]
ALL = tuple(AssetFields.model_fields)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unio24Part]:
    with start_unio24(tmp_path_factory.mktemp("unio24")) as running:
        yield running


@pytest.fixture
def user(part: Unio24Part) -> Iterator[Unio24User]:
    with part.user() as signed_in:
        yield signed_in
        signed_in.clear_faults()


@pytest.fixture
async def connecting(part: Unio24Part) -> AsyncIterator[Connecting]:
    opened: list[Connector] = []

    def open_one(**more: object) -> Connector:
        opened.append(connect("am", part.settings(read_timeout_secs=1, **more)))
        return opened[-1]

    yield open_one
    for connector in opened:
        closing = connector.close()
        assert hasattr(closing, "__await__")
        await closing


def dispatch(version: int = 1) -> Dispatch:
    return Dispatch(command_id=f"c-{next(numbers)}", target="am", version=version)


def new_id() -> str:
    return f"asset-{next(numbers)}"


def write_asset(
    asset_id: str, fields: AssetFields, *, writable: tuple[str, ...] = ALL, native_id: str | None = None
) -> WriteAsset:
    return WriteAsset(
        dispatch=dispatch(), asset_id=asset_id, native_id=native_id, fields=fields, writable_fields=writable
    )


PUMP = AssetFields(
    description="Pump",
    physical_status=PhysicalStatus.ORDERED,
    company="1000",
    asset_number="FA-1",
    cost_centre="CC-1",
    quantity=Decimal(1),
    acquisition_cost=Money(amount=Decimal("1234.5"), currency="EUR"),
    acquisition_date=dt.date(2026, 5, 4),
)


def book(asset_id: str, *, accumulated: str = "10.00", lines: int = 3) -> WriteBook:
    schedule = tuple(
        ScheduleLine(
            date=dt.date(2026, month, 28),
            posting_period=f"2026-{month:03d}",
            depreciation=Decimal("10.00"),
            accumulated_after=Decimal(10 * month),
            net_book_value_after=Decimal(100 - 10 * month),
            posted=month == 1,
            document="M-1" if month == 1 else None,
        )
        for month in range(1, lines + 1)
    )
    fields = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(accumulated),
        net_book_value=Decimal(100) - Decimal(accumulated),
        as_of=dt.date(2026, 1, 28),
        lines=schedule,
    )
    return WriteBook(dispatch=dispatch(), asset_id=asset_id, fields=fields)


def effects(user: Unio24User, kind: str = "asset") -> list[tuple[str, int]]:
    return [(entry["action"], entry["object_id"]) for entry in user.journal(object=kind)]


async def reported(connector: Connector, stream: str, native_id: str) -> AssetReport | BookReport:
    item = await connector.source.read_one(stream, native_id)
    assert item is not None
    [report] = connector.map_item(item)
    assert isinstance(report, AssetReport | BookReport)
    return report


async def test_a_new_asset_is_created_once_under_our_reference(user: Unio24User, connecting: Connecting) -> None:
    connector, command = connecting(), write_asset(new_id(), PUMP)
    before = effects(user)
    first = await connector.sink.write(command, None)
    again = await connector.sink.write(command, None)
    assert effects(user) == [*before, ("created", int(first.native_id))]
    assert (first.effect, again.effect) == (True, False)
    assert (again.native_id, again.digest, again.source_version) == (first.native_id, first.digest, "1")
    asset = user.asset(int(first.native_id))
    assert (asset["external_ref"], asset["purchase_cost"], asset["status"]) == (command.asset_id, "1234.50", "ordered")
    assert first.number == asset["tag"]


async def test_the_digest_is_that_of_the_report_the_system_then_gives(connecting: Connecting) -> None:
    connector = connecting()
    written = await connector.sink.write(write_asset(new_id(), PUMP), None)
    report = await reported(connector, "assets", written.native_id)
    assert written.digest == digest_fields(report.fields)
    shown = await connector.sink.write(book(report.origin.hub_ref or ""), written.native_id)
    panel = await reported(connector, "books", shown.native_id)
    assert shown.digest == digest_fields(panel.fields)


async def test_only_differing_writable_fields_are_sent(user: Unio24User, connecting: Connecting) -> None:
    connector, asset_id = connecting(), new_id()
    created = await connector.sink.write(write_asset(asset_id, PUMP), None)
    number = int(created.native_id)
    user.move(number, "HALL-7")
    later = PUMP.model_copy(update={"asset_number": "FA-2", "location": "ELSEWHERE", "description": "Pump, changed"})
    writable = ("asset_number", "description", "cost_centre", "financial_status")
    written = await connector.sink.write(write_asset(asset_id, later, writable=writable), created.native_id)
    last = user.journal(object="asset", object_id=number)[-1]
    assert last["detail"] == {"erp_asset_number": "FA-2", "name": "Pump, changed"}
    assert user.asset(number)["site"] == "HALL-7", "the location is not ours to write"
    assert (written.effect, written.source_version) == (True, "3")


async def test_what_we_do_not_know_is_left_alone(user: Unio24User, connecting: Connecting) -> None:
    connector, asset_id = connecting(), new_id()
    created = await connector.sink.write(write_asset(asset_id, PUMP), None)
    empty = AssetFields(description="Pump")
    assert not (await connector.sink.write(write_asset(asset_id, empty), created.native_id)).effect
    assert user.asset(int(created.native_id))["cost_centre"] == "CC-1"


async def test_writes_stop_after_one_although_they_trim_and_reformat(user: Unio24User, connecting: Connecting) -> None:
    connector, asset_id = connecting(), new_id()
    fields = PUMP.model_copy(update={"description": "  Pump  ", "quantity": Decimal("2.500000")})
    native_id = None
    for _ in range(20):
        written = await connector.sink.write(write_asset(asset_id, fields), native_id)
        native_id = written.native_id
    assert len(user.journal(object="asset", object_id=int(native_id or 0))) == 1


async def test_a_text_they_would_cut_is_refused_before_it_is_sent(user: Unio24User, connecting: Connecting) -> None:
    before = effects(user)
    long = PUMP.model_copy(update={"description": "x" * 121})
    with pytest.raises(Rejected, match="description: is longer than the 120 characters"):
        await connecting().sink.write(write_asset(new_id(), long), None)
    assert effects(user) == before


async def test_a_refused_value_is_named(connecting: Connecting) -> None:
    with pytest.raises(Rejected, match="condition: HTTP 422: condition: must be one of") as caught:
        await connecting().sink.write(write_asset(new_id(), AssetFields(description="P", condition="?")), None)
    assert caught.value.field == "condition"
    with pytest.raises(Rejected, match="name: is required"):
        await connecting().sink.write(write_asset(new_id(), AssetFields(tag=new_id())), None)


@pytest.mark.parametrize("key", ["serial_number", "po_line_ref"])
async def test_a_record_without_reference_is_adopted_by_its_natural_key(
    user: Unio24User, connecting: Connecting, key: str
) -> None:
    connector, asset_id, value = connecting(), new_id(), f"natural-{next(numbers)}"
    mine = user.create_asset("Typed by hand", **{"serial" if key == "serial_number" else key: value})
    command = write_asset(asset_id, PUMP.model_copy(update={key: f" {value} "}), writable=("asset_number",))
    before = effects(user)
    written = await connector.sink.write(command, None)
    assert written.native_id == str(mine["id"])
    after = user.asset(mine["id"])
    assert (after["external_ref"], after["name"], after["erp_asset_number"]) == (asset_id, "Typed by hand", "FA-1")
    assert not (await connector.sink.write(command, None)).effect
    assert effects(user) == [*before, ("updated", mine["id"])]


async def test_a_record_of_another_asset_is_never_adopted(user: Unio24User, connecting: Connecting) -> None:
    connector, serial = connecting(), f"natural-{next(numbers)}"
    user.create_asset("Taken", serial=serial, external_ref=new_id())
    command = write_asset(new_id(), PUMP.model_copy(update={"serial_number": serial}))
    written = await connector.sink.write(command, None)
    assert len(user.find_assets(serial=serial)) == 2
    assert user.asset(int(written.native_id))["external_ref"] == command.asset_id


async def test_two_candidates_are_a_persons_decision(user: Unio24User, connecting: Connecting) -> None:
    serial = f"natural-{next(numbers)}"
    for _ in range(2):
        user.create_asset("Twin", serial=serial)
    before = effects(user)
    with pytest.raises(Rejected, match="2 records there have the same serial_number"):
        await connecting().sink.write(write_asset(new_id(), PUMP.model_copy(update={"serial_number": serial})), None)
    assert effects(user) == before


async def test_our_own_record_comes_before_any_candidate(user: Unio24User, connecting: Connecting) -> None:
    serial, asset_id = f"natural-{next(numbers)}", new_id()
    ours = user.create_asset("Ours", serial=serial, external_ref=asset_id)
    for _ in range(2):
        user.create_asset("Twin", serial=serial)
    before = effects(user)
    command = write_asset(asset_id, PUMP.model_copy(update={"serial_number": serial}), writable=("asset_number",))
    written = await connecting().sink.write(command, None)
    assert written.native_id == str(ours["id"])
    assert effects(user) == [*before, ("updated", ours["id"])]


async def test_a_link_to_another_assets_record_is_refused(user: Unio24User, connecting: Connecting) -> None:
    other = user.create_asset("Other", external_ref=new_id())
    before = effects(user)
    command = write_asset(new_id(), PUMP)
    with pytest.raises(Rejected, match="carries the reference of another asset"):
        await connecting().sink.write(command, str(other["id"]))
    assert await connecting().sink.read_back(command, str(other["id"])) is None
    assert effects(user) == before


async def test_a_linked_record_without_reference_gets_it(user: Unio24User, connecting: Connecting) -> None:
    asset_id, mine = new_id(), user.create_asset("Born here")
    command = write_asset(asset_id, AssetFields(asset_number="FA-9"), writable=("asset_number",))
    written = await connecting().sink.write(command, str(mine["id"]))
    after = user.asset(mine["id"])
    assert (after["external_ref"], after["erp_asset_number"], written.effect) == (asset_id, "FA-9", True)


async def test_a_record_deleted_there_is_created_anew(user: Unio24User, connecting: Connecting) -> None:
    connector, command = connecting(), write_asset(new_id(), PUMP)
    first = await connector.sink.write(command, None)
    user.delete(int(first.native_id))
    assert await connector.sink.read_back(command, first.native_id) is None
    second = await connector.sink.write(command, first.native_id)
    assert second.effect
    assert second.native_id != first.native_id
    found = await connector.sink.read_back(command, first.native_id)
    assert found is not None
    assert found.native_id == second.native_id


async def test_an_edit_between_look_and_write_is_not_overwritten(
    part: Unio24Part, user: Unio24User, connecting: Connecting
) -> None:
    """The user's edit lands while our PATCH is held up; If-Match sends us back to look again."""
    connector, asset_id = connecting(), new_id()
    created = await connector.sink.write(write_asset(asset_id, PUMP), None)
    url = f"/assets/{created.native_id}$"
    user.set_faults({"method": "GET", "path": url, "kind": "slow", "seconds": 0.5})
    later = write_asset(asset_id, PUMP.model_copy(update={"asset_number": "FA-3"}))
    writing = asyncio.create_task(connector.sink.write(later, created.native_id))
    await asyncio.sleep(0.25)
    await asyncio.to_thread(user.edit, int(created.native_id), site="MOVED")
    with pytest.raises(Retryable, match="412"):
        await writing
    assert (await connector.sink.write(later, created.native_id)).effect
    assert user.asset(int(created.native_id))["site"] == "MOVED"
    assert part.pid


async def test_side_by_side_writes_of_one_asset_still_make_one_record(user: Unio24User, connecting: Connecting) -> None:
    connector, command = connecting(), write_asset(new_id(), PUMP)
    written = await asyncio.gather(*(connector.sink.write(command, None) for _ in range(8)))
    assert len({w.native_id for w in written}) == 1
    assert sum(w.effect for w in written) == 1
    assert len(user.find_assets(external_ref=command.asset_id)) == 1


async def test_a_book_is_shown_once_and_replaced_whole(user: Unio24User, connecting: Connecting) -> None:
    connector, asset_id = connecting(), new_id()
    with pytest.raises(Retryable, match="not there yet"):
        await connector.sink.write(book(asset_id), None)
    with pytest.raises(Retryable, match="is not there"):
        await connector.sink.write(book(asset_id), str(10**9))
    created = await connector.sink.write(write_asset(asset_id, PUMP), None)
    before = effects(user, "panel")
    command = book(asset_id)
    first = await connector.sink.write(command, None)
    assert first.native_id == f"{created.native_id}|main"
    for native_id in (None, created.native_id, first.native_id):
        again = await connector.sink.write(command, native_id)
        assert (again.effect, again.digest, again.native_id) == (False, first.digest, first.native_id)
    shorter = await connector.sink.write(book(asset_id, accumulated="20.00", lines=1), created.native_id)
    assert shorter.source_version == "2"
    panel = user.panel(int(created.native_id))
    assert (len(panel["lines"]), panel["book_value"]) == (1, "80.00")
    assert [action for action, _ in effects(user, "panel")[len(before) :]] == ["created", "replaced"]
    assert user.asset(int(created.native_id))["version"] == 1


async def test_a_tampered_panel_is_put_right(user: Unio24User, connecting: Connecting) -> None:
    connector, command = connecting(), book(new_id())
    created = await connector.sink.write(write_asset(command.asset_id, PUMP), None)
    first = await connector.sink.write(command, created.native_id)
    panel = user.panel(int(created.native_id))
    kept = {k: v for k, v in panel.items() if k not in ("id", "asset_id", "book", "version", "updated_at")}
    for tampered in ({**kept, "book_value": "1.00"}, {**kept, "residual_value": None}):
        user.put_panel(int(created.native_id), tampered)
        assert await connector.sink.read_back(command, created.native_id) is None
        assert (await connector.sink.write(command, created.native_id)).digest == first.digest


async def test_removing_is_done_when_it_is_gone(user: Unio24User, connecting: Connecting) -> None:
    connector, surplus = connecting(), user.create_asset("Surplus")
    native_id = str(surplus["id"])
    command = RemoveRecord(dispatch=dispatch(), entity="asset", record_id=native_id, native_id=native_id)
    assert await connector.sink.read_back(command, native_id) is None
    before = effects(user)
    assert (await connector.sink.write(command, native_id)).effect
    assert not (await connector.sink.write(command, native_id)).effect
    assert await connector.sink.read_back(command, native_id) == Written(native_id=native_id)
    assert effects(user) == [*before, ("deleted", surplus["id"])]


async def test_what_it_cannot_do_it_refuses(connecting: Connecting) -> None:
    sink = connecting().sink
    line = CostLine(line_no=1, kind=CostKind.PART, description="Seal", amount=Decimal(5))
    fields = CostFields(
        work_order="WO-1",
        company="1000",
        currency="EUR",
        cost_centre="CC-1",
        effective_date=dt.date(2026, 5, 4),
        total=Decimal(5),
        lines=(line,),
    )
    cost = PostCost(dispatch=dispatch(), cost_doc_id="d-1", fields=fields)
    with pytest.raises(Rejected, match="takes no cost postings"):
        await sink.write(cost, None)
    assert await sink.read_back(cost, None) is None
    with pytest.raises(Rejected, match="a book cannot be removed"):
        await sink.write(RemoveRecord(dispatch=dispatch(), entity="book", record_id="1|main", native_id="1|main"), None)


WRITE_FAULTS: dict[str, type[Exception] | None] = {
    "timeout_before": OutcomeUnknown,
    "timeout_after_commit": OutcomeUnknown,
    "error_500_before": OutcomeUnknown,
    "error_500_after_commit": OutcomeUnknown,
    "error_503": Unavailable,
    "error_429": Unavailable,
    "cut_body": OutcomeUnknown,
    "slow": OutcomeUnknown,
    "drop_write": None,
    "duplicate_webhook": None,
    "lose_webhook": None,
    "late_webhook": None,
    "reorder_webhook": None,
    "apply_twice": None,
    "stale_read": None,
}
# The one outlasts the call that it strikes, the other means whatever its rule says.
OTHER_FAULTS = {"refuse_connection", "answer"}


def test_every_fault_has_its_meaning_for_a_write() -> None:
    assert set(WRITE_FAULTS) == PLAYABLE - OTHER_FAULTS


async def deliver(
    connector: Connector, command: Command, native_id: str | None, error: type[Exception] | None
) -> Written:
    """As the delivery loop does: write, read back an unknown outcome before sending again, else try again."""
    if error is None:
        await connector.sink.write(command, native_id)
        found = await connector.sink.read_back(command, native_id)
        return found or await connector.sink.write(command, native_id)
    with pytest.raises(error):
        await connector.sink.write(command, native_id)
    found = await connector.sink.read_back(command, native_id) if error is OutcomeUnknown else None
    return found or await connector.sink.write(command, native_id)


@pytest.mark.parametrize("kind", list(WRITE_FAULTS))
@pytest.mark.parametrize("operation", ["create", "adopt", "update", "book", "remove"])
async def test_one_effect_whatever_the_fault(
    user: Unio24User, connecting: Connecting, kind: str, operation: str
) -> None:
    connector, asset_id = connecting(), new_id()
    native_id: str | None = None
    command: Command = write_asset(asset_id, PUMP)
    if operation == "adopt":
        serial = f"natural-{next(numbers)}"
        user.create_asset("Typed by hand", serial=serial)
        command = write_asset(asset_id, PUMP.model_copy(update={"serial_number": serial}))
    elif operation != "create":
        native_id = (await connector.sink.write(command, None)).native_id
        changed = write_asset(asset_id, PUMP.model_copy(update={"asset_number": "FA-7"}))
        gone = RemoveRecord(dispatch=dispatch(), entity="asset", record_id=native_id, native_id=native_id)
        commands: dict[str, Command] = {"update": changed, "book": book(asset_id), "remove": gone}
        command = commands[operation]
    kind_of_effect = "panel" if operation == "book" else "asset"
    before = effects(user, kind_of_effect)
    writes = "PUT|POST|PATCH|DELETE"
    user.set_faults({"method": writes, "path": "/assets", "kind": kind, "seconds": 1.5})
    written = await deliver(connector, command, native_id, WRITE_FAULTS[kind])
    assert [rule["hits"] for rule in user.faults()] == [1]
    after = effects(user, kind_of_effect)
    assert len(after) == len(before) + 1, after[len(before) :]
    assert not (await connector.sink.write(command, written.native_id)).effect
    assert effects(user, kind_of_effect) == after


@pytest.mark.parametrize("kind", ["timeout_after_commit", "error_500_after_commit", "cut_body"])
async def test_a_lost_answer_after_which_the_system_dies(part: Unio24Part, connecting: Connecting, kind: str) -> None:
    connector, command = connecting(), write_asset(new_id(), PUMP)
    with part.user() as user:
        user.set_faults({"method": "POST", "path": "/assets$", "kind": kind, "seconds": 1.5})
        with pytest.raises(OutcomeUnknown):
            await connector.sink.write(command, None)
    part.kill()
    with pytest.raises(Unavailable):
        await connector.sink.read_back(command, None)
    part.start()
    assert await connector.sink.read_back(command, None) is not None
    with part.user() as user:
        assert len(user.find_assets(external_ref=command.asset_id)) == 1


async def test_a_connection_that_dies_under_a_write_is_unknown_not_unavailable(
    part: Unio24Part, connecting: Connecting
) -> None:
    """The transport reports this as a connect time-out; taking that at its word would send twice."""
    connector, command = connecting(), write_asset(new_id(), PUMP)
    with part.user() as user:
        user.set_faults({"method": "POST", "path": "/assets$", "kind": "timeout_after_commit", "seconds": 0.3})
    with pytest.raises(OutcomeUnknown):
        await connector.sink.write(command, None)
    assert await connector.sink.read_back(command, None) is not None


async def test_the_wait_they_ask_for_is_passed_on(user: Unio24User, connecting: Connecting) -> None:
    for value, least, most in (("17", 17, 17), ("Wed, 01 Jan 2098 00:00:00 GMT", 3600, 3600)):
        user.set_faults({"method": "POST", "path": "/assets$", "kind": "error_429", "retry_after": value})
        with pytest.raises(Unavailable) as caught:
            await connecting().sink.write(write_asset(new_id(), PUMP), None)
        assert caught.value.retry_after_secs is not None
        assert least <= caught.value.retry_after_secs <= most


async def test_a_wrong_token_stops(connecting: Connecting) -> None:
    with pytest.raises(Stop, match="Check the token"):
        await connecting(token="wrong").sink.write(write_asset(new_id(), PUMP), None)  # noqa: S106  - wrong on purpose


async def test_fixed_values_of_a_new_record_come_from_the_profile(
    user: Unio24User, connecting: Connecting, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = PROFILE.read_text(encoding="utf-8")
    text = text.replace(
        "  reference: external_ref\n", "  reference: external_ref\n  on_create: {site: INBOX, name: none}\n"
    )
    file = tmp_path_factory.mktemp("profile") / "fixed.yaml"
    file.write_text(text, encoding="utf-8")
    written = await connecting(profile=str(file)).sink.write(write_asset(new_id(), PUMP), None)
    asset = user.asset(int(written.native_id))
    assert (asset["site"], asset["name"]) == ("INBOX", "Pump")
