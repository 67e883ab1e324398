"""Flow completeness: each hop by flow and hour, each change once, in a window."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

import pytest
import yaml

from tieline.kernel.asset_records import AssetEvent, AssetFields
from tieline.kernel.command_records import Command, CommandSettled, RemoveRecord, SettledAs, WriteAsset
from tieline.kernel.declarations import declared
from tieline.kernel.records import Typed
from tieline.kernel.vocabulary import Accepted, Dispatch, Model
from tieline.views.batch import Batch
from tieline.views.completeness import Completeness, as_json
from tieline.views.faust_app import Keeper
from tieline.views.flows import WINDOW_HOURS, FlowName
from tieline.views.topics import WINDOWED_RETENTION_MS

ASSETS = FlowName("asset", "unio24", "tryton")
Said = tuple[Model, dt.datetime]


def at(time: str, day: int = 1) -> dt.datetime:
    return dt.datetime.combine(dt.date(2026, 3, day), dt.time.fromisoformat(time), dt.UTC)


def changed(number: int, time: dt.datetime, *, ordered: bool = False, version: int = 1) -> AssetEvent:
    accepted = Accepted(
        version=version,
        origin_system="unio24",
        origin_native_id=f"{number}",
        effective_date=dt.date(2026, 3, 1),
        recorded_at=time,
        changed_fields=("location",),
    )
    fields = AssetFields(po_line_ref=f"unio24/{number}" if ordered else f"tryton/{number}/1")
    return AssetEvent(asset_id=f"a{number}", accepted=accepted, fields=fields, links={})


def command(number: int, *, target: str = "tryton", version: int = 1, repair_id: str | None = None) -> WriteAsset:
    command_id = f"{target}/asset/a{number}/{version}"
    dispatch = Dispatch(command_id=command_id, target=target, version=version, repair_id=repair_id)
    return WriteAsset(dispatch=dispatch, asset_id=f"a{number}", fields=AssetFields(), writable_fields=())


def settled(number: int, outcome: SettledAs, *, target: str = "tryton", version: int = 1) -> CommandSettled:
    return CommandSettled(
        command_id=f"{target}/asset/a{number}/{version}",
        target=target,
        entity="asset",
        canonical_id=f"a{number}",
        version=version,
        outcome=outcome,
    )


def completeness_of(said: Sequence[Said], flows: tuple[FlowName, ...] = (ASSETS,)) -> Completeness:
    batch = Batch()
    for body, time in said:
        batch.take(body, round(time.timestamp() * 1000))
    return batch.figures(flows).completeness


def shown(view: Completeness, **wanted: str) -> list[dict[str, object]]:
    found, after = view.page(limit=500, **wanted)
    assert after is None
    return [as_json(row) for row in found]


NINE = [
    *((changed(n, at("09:10:00")), at("09:10:01")) for n in range(1, 6)),
    *((command(n), at("09:10:02")) for n in range(1, 5)),  # the fifth concerns no record of the target
    (settled(1, SettledAs.CONFIRMED), at("09:10:04")),
    (settled(2, SettledAs.CONFIRMED), at("10:10:00")),
    (settled(3, SettledAs.REJECTED), at("09:10:06")),
]


def test_an_hour_of_a_flow_is_told_hop_by_hop() -> None:
    assert shown(completeness_of(NINE)) == [
        {
            "hour": "2026-03-01T09:00Z",
            "flow": "asset:unio24>tryton",
            "accepted": 5,
            "routed": 4,
            "confirmed": 2,
            "superseded": 0,
            "rejected": 1,
            "open": 1,
            "completeness": 0.5,
            "latency_p50_secs": 4.0,  # from the source's change, not from the command
            "latency_p95_secs": 3600.0,
            "latency_max_secs": 3600.0,
        }
    ]


def test_what_is_read_twice_and_in_any_order_counts_once() -> None:
    said = [NINE[0], NINE[5], NINE[9], (settled(1, SettledAs.CONFIRMED), at("09:30:00")), NINE[0], NINE[5]]
    wanted = shown(completeness_of([NINE[0], NINE[5], NINE[9]]))
    for order in itertools.permutations(said):
        assert shown(completeness_of(order)) == wanted


@pytest.mark.parametrize(
    ("outcomes", "counted"),
    [
        ([SettledAs.REJECTED, SettledAs.CONFIRMED], "confirmed"),  # refused, mended, replayed
        ([SettledAs.CONFIRMED, SettledAs.SUPERSEDED], "confirmed"),  # delivered a second time
        ([SettledAs.REJECTED, SettledAs.SUPERSEDED], "superseded"),  # a newer version came through
        ([SettledAs.REJECTED], "rejected"),
    ],
)
def test_of_several_answers_the_effect_counts(outcomes: list[SettledAs], counted: str) -> None:
    answers = [(settled(1, outcome), at(f"09:20:0{n}")) for n, outcome in enumerate(outcomes)]
    for order in itertools.permutations(answers):
        [row] = shown(completeness_of([NINE[0], NINE[5], *order]))
        assert [row[name] for name in ("confirmed", "superseded", "rejected", "open")] == [
            int(name == counted) for name in ("confirmed", "superseded", "rejected", "open")
        ]


def test_a_rejected_change_is_not_complete() -> None:
    [row] = shown(completeness_of([NINE[0], NINE[5], (settled(1, SettledAs.REJECTED), at("09:20:00"))]))
    assert row["completeness"] == 0


def test_nearly_all_is_not_all() -> None:
    said: list[Said] = []
    for number in range(20_001):
        said += [(changed(number, at("09:00:00")), at("09:00:00")), (command(number), at("09:00:01"))]
        if number:
            said.append((settled(number, SettledAs.CONFIRMED), at("09:00:02")))
    [row] = shown(completeness_of(said))
    assert row["completeness"] == 0.9999


def test_hours_and_flows_stay_apart_and_can_be_chosen() -> None:
    orders = FlowName("purchase-order", "unio24", "tryton")
    said = [
        (changed(1, at("09:59:59")), at("10:00:01")),
        (changed(2, at("10:00:00")), at("10:00:01")),
        (changed(3, at("10:30:00"), ordered=True), at("10:30:01")),
        *((command(n), at("10:31:00")) for n in (1, 2, 3)),
        (command(2, target="other"), at("10:31:00")),
    ]
    view = completeness_of(said, (ASSETS, orders))
    assert [(row["hour"], row["flow"], row["accepted"], row["routed"]) for row in shown(view)] == [
        ("2026-03-01T09:00Z", "asset:unio24>tryton", 1, 1),
        ("2026-03-01T10:00Z", "asset:unio24>other", 1, 1),
        ("2026-03-01T10:00Z", "asset:unio24>tryton", 1, 1),
        ("2026-03-01T10:00Z", "purchase-order:unio24>tryton", 1, 1),
    ]
    assert [row["hour"] for row in shown(view, flow=ASSETS.text)] == ["2026-03-01T09:00Z", "2026-03-01T10:00Z"]
    assert [row["hour"] for row in shown(view, after="2026-03-01T10")] == ["2026-03-01T10:00Z"] * 3


def test_pages_follow_each_other() -> None:
    said = [(changed(n, at(f"{n:02d}:15:00")), at("12:00:00")) for n in range(1, 8)]
    view = completeness_of(said)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        found, after = view.page(after=after, limit=3)
        seen += [row.place for row in found]
    assert seen == [f"2026-03-01T{n:02d}:00Z/asset:unio24>tryton" for n in range(1, 8)]


def test_an_hour_in_which_nothing_was_routed_is_told_for_the_landscapes_flows() -> None:
    [row] = shown(completeness_of(NINE[:5]))
    assert (row["accepted"], row["routed"], row["completeness"]) == (5, 0, None)


def test_repairs_belong_to_no_flow() -> None:
    surplus = RemoveRecord(dispatch=command(1).dispatch, entity="asset", record_id="a1", native_id="7")
    repairs: list[Command] = [command(1, repair_id="d1"), surplus]
    said = [NINE[0], *((repair, at("09:30:00")) for repair in repairs)]
    [row] = shown(completeness_of(said))
    assert row["routed"] == 0


def test_a_source_whose_clock_is_ahead_blanks_nothing() -> None:
    view = completeness_of([*NINE, (changed(9, at("09:00:00", day=30)), at("10:10:00"))])
    assert [(row["hour"], row["accepted"]) for row in shown(view)] == [
        ("2026-03-01T09:00Z", 5),
        ("2026-03-01T10:00Z", 1),
    ]


def test_a_change_that_is_published_again_stays_in_the_hour_of_its_first_record() -> None:
    ahead = changed(1, at("12:00:00"))
    for order in itertools.permutations([(ahead, at("09:30:00")), (ahead, at("10:30:00"))]):
        assert [row["hour"] for row in shown(completeness_of(order))] == ["2026-03-01T09:00Z"]


def test_an_hour_leaves_the_window_after_48() -> None:
    kept = completeness_of([*NINE, (changed(9, at("08:59:59", day=3)), at("08:59:59", day=3))])
    assert [row["hour"] for row in shown(kept)] == ["2026-03-01T09:00Z", "2026-03-03T08:00Z"]
    left = completeness_of([*NINE, (changed(9, at("09:00:00", day=3)), at("09:00:00", day=3))])
    assert [row["hour"] for row in shown(left)] == ["2026-03-03T09:00Z"]
    assert left.first_hour == at("10:00:00")


def test_what_is_late_for_the_window_does_not_bring_an_hour_back() -> None:
    new = (changed(9, at("09:00:00", day=5)), at("09:00:00", day=5))
    for order in itertools.permutations([NINE[0], new, (command(1), at("09:00:05", day=5))]):
        assert [row["hour"] for row in shown(completeness_of(order))] == ["2026-03-05T09:00Z"]


def test_nothing_of_an_hour_that_has_left_stays_in_memory() -> None:
    view = completeness_of([*NINE, (changed(9, at("09:00:00", day=9)), at("09:00:00", day=9))])
    assert [len(part) for part in (view._changes, view._hours, view._commands, view._results)] == [1, 1, 0, 0]


class FakeTable(dict[str, object]):
    """A table as the keeper uses Faust's: a mapping whose ``data`` is changed without its changelog."""

    @property
    def data(self) -> FakeTable:
        return self


def test_the_tables_let_go_of_what_the_window_has_left() -> None:
    names = ("assets", "disposals", "flow-changes", "flow-commands", "flow-results")
    tables = {name: FakeTable() for name in names}
    keeper = Keeper(tables)
    for body, time in [*NINE, (changed(9, at("09:00:00", day=9)), at("09:00:00", day=9))]:
        keeper.keep(Typed(type(body).__name__, body), round(time.timestamp() * 1000))
    assert {name: len(table) for name, table in tables.items()} == {
        "assets": 6,
        "disposals": 6,
        "flow-changes": 1,
        "flow-commands": 0,
        "flow-results": 0,
    }


def test_commands_and_changelogs_are_kept_longer_than_the_window() -> None:
    [path] = declared().topics.glob("sink.*.command.v1.yaml")
    configs = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["configs"]
    assert int(configs["retention.ms"]) >= WINDOWED_RETENTION_MS > WINDOW_HOURS * 3_600_000
