"""Card statements of both layouts become cost documents: credits negative, repeated references intact, sums exact."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.processors.bench import AM, ERP, FLOWS, Hub, landscape, named

from tieline.checking import check_landscape
from tieline.connectors.cardfile.connector import connect
from tieline.connectors.cardfile.statements import read_statement
from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import CostReport, CostState
from tieline.kernel.errors import Rejected, Stop, Unavailable
from tieline.kernel.protocols import Connector, RawItem

OXFORD = Path(__file__).parents[5] / "shared" / "data" / "oxford-procurement-cards"
BASE: dict[str, object] = {
    "company": "OXFORD",
    "currency": "GBP",
    "cost_centre": "CARDS",
    "decimal_mark": ".",
    "group_mark": ",",
}
LONG_HEADER = "Date,Reference,Value,Merchant,Transaction description,Transaction description 2\n"
SHORT_HEADER = "FIN.TRANSACTION DATE,MCH.MERCHANT NAME,FIN.TRANSACTION AMOUNT\n"
LONG = (
    LONG_HEADER
    + '05/01/2017,734181765,10.98,amazon,Books,"Libraries, central"\n'
    + "05/01/2017,734181765,10.98,amazon,Books,\n"
    + '06/01/2017,734181765,"1,210.98",amazon,,\n'
    + "09/01/2017,735018744,-25.98,hotjar,Hardware,\n"
)
SHORT = SHORT_HEADER + "01/10/2017,FACEBK,.97\n01/10/2017,FACEBK,.97\n11/08/2017,,-39759.74\n02/08/2017,WILKO,13.5\n"


def card_folder(folder: Path, **files: str) -> Connector:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return connect("cards", {**BASE, "folder": str(folder)})


async def every_line(connector: Connector, limit: int = 200) -> list[RawItem]:
    items: list[RawItem] = []
    position: dict[str, str] = {}
    more = True
    while more:
        page = await connector.source.read_changes(position, limit)
        items += page.items
        position, more = dict(page.position), page.more
    return items


async def every_report(connector: Connector) -> list[CostReport]:
    reports = [report for item in await every_line(connector) for report in connector.map_item(item)]
    assert all(isinstance(report, CostReport) for report in reports)
    return [report for report in reports if isinstance(report, CostReport)]


async def test_both_layouts_become_documents(tmp_path: Path) -> None:
    found = await every_report(card_folder(tmp_path, a=LONG, b=SHORT))
    seen = [(r.fields.effective_date.isoformat(), str(r.fields.total), r.fields.lines[0].description) for r in found]
    assert seen == [
        ("2017-01-05", "10.98", "amazon, Books, Libraries, central"),
        ("2017-01-05", "10.98", "amazon, Books"),
        ("2017-01-06", "1210.98", "amazon"),
        ("2017-01-09", "-25.98", "hotjar, Hardware"),
        ("2017-10-01", "0.97", "FACEBK"),
        ("2017-10-01", "0.97", "FACEBK"),
        ("2017-08-11", "-39759.74", "no merchant given"),
        ("2017-08-02", "13.5", "WILKO"),
    ]
    assert {(r.fields.company, r.fields.currency, r.fields.cost_centre) for r in found} == {("OXFORD", "GBP", "CARDS")}


async def test_t01_repeated_references_and_identical_lines_stay_as_many_documents(tmp_path: Path) -> None:
    found = await every_report(card_folder(tmp_path, a=LONG, b=SHORT))
    ids = [report.origin.native_id for report in found]
    assert ids[:4] == ["734181765/1", "734181765/2", "734181765/3", "735018744/1"]
    assert len(set(ids)) == 8
    assert [i.rpartition("/")[2] for i in ids[4:6]] == ["1", "2"]


async def test_a_statement_that_lies_there_twice_under_another_name_is_one(tmp_path: Path) -> None:
    once = await every_line(card_folder(tmp_path, b=LONG))
    twice = await every_line(card_folder(tmp_path, c=LONG))
    assert [item.native_id for item in twice] == [item.native_id for item in once]


async def test_nothing_is_given_again_until_a_statement_comes(tmp_path: Path) -> None:
    connector = card_folder(tmp_path, b=LONG)
    first = await connector.source.read_changes({}, 3)
    assert (len(first.items), first.more) == (3, True)
    rest = await connector.source.read_changes(first.position, 3)
    assert (len(rest.items), rest.more) == (1, False)
    assert (await connector.source.read_changes(rest.position, 3)).items == []
    card_folder(tmp_path, c=SHORT)
    again = await connector.source.read_changes(rest.position, 100)
    assert len(again.items) == 8  # the same four under the same ids, and four new ones
    assert again.items[:4] == [*first.items, *rest.items]


async def test_one_line_and_the_whole_folder_are_read_back(tmp_path: Path) -> None:
    connector = card_folder(tmp_path, a=LONG, b=SHORT)
    items = await every_line(connector)
    assert [item async for item in connector.source.read_all("card-lines")] == items
    assert await connector.source.read_one("card-lines", "735018744/1") == items[3]
    assert await connector.source.read_one("card-lines", "735018744/2") is None


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        (LONG_HEADER.encode() + b"1,2,3\n", 2, "has 3 values, its header has 6"),
        (SHORT.encode() + b"01/10/2017,A", 6, "may still be written"),
        (SHORT_HEADER.encode() + b'01/10/2017,"A,1.00\n02/10/2017,B,2.00\n', 3, "is not CSV"),
        (SHORT_HEADER.encode() + b'01/10/2017,"A\n02/10/2017,B",2.00\n', 3, "a stray quote"),
        (SHORT_HEADER.encode() + b'01/10/2017,"A"B,2.00\n', 2, "is not CSV"),
        (b"Day,Who,What\n", 1, "none of 2 known layouts"),
        (b"\n", 1, "none of 2 known layouts"),
        (SHORT_HEADER.encode() + b"01/10/2017,A\x00,1.00\n", 1, "has NUL characters"),
        (SHORT_HEADER.encode() + b"01/10/2017,\xff,1.00\n", 1, "is not UTF-8"),
    ],
)
def test_a_faulty_statement_is_refused_whole_with_its_line(content: bytes, where: int, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        read_statement("may.csv", content)
    assert caught.value.reason.startswith(f"may.csv:{where}: ")


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault() -> None:
    [line] = read_statement("a.csv", ("\ufeff" + SHORT_HEADER + "01/10/2017,A,1.00\n").replace("\n", "\r\n").encode())
    assert line.values["MCH.MERCHANT NAME"] == "A"


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("31/02/2017,A,1.00", "FIN.TRANSACTION DATE"),
        ("2017-02-01,A,1.00", "FIN.TRANSACTION DATE"),
        ("01/02/2017,A,1.00.00", "FIN.TRANSACTION AMOUNT"),
        ("01/02/2017,A,$1.00", "FIN.TRANSACTION AMOUNT"),
        ('01/02/2017,A,"1.234,50"', "FIN.TRANSACTION AMOUNT"),
        ("01/02/2017,A,1.00001", "FIN.TRANSACTION AMOUNT"),
        ("01/02/2017,A,", "FIN.TRANSACTION AMOUNT"),
    ],
)
async def test_a_faulty_line_is_refused_alone_with_its_column(tmp_path: Path, line: str, column: str) -> None:
    connector = card_folder(tmp_path, a=SHORT_HEADER + line + "\n" + "02/02/2017,B,2.00\n")
    bad, good = await every_line(connector)
    with pytest.raises(Rejected) as caught:
        connector.map_item(bad)
    assert caught.value.field == column
    assert connector.map_item(good)


@pytest.mark.parametrize("payload", [b"[]", b"{", b'{"layout":"x","values":{}}', b'{"layout":"without-reference"}'])
def test_what_is_no_line_is_refused(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(Rejected):
        card_folder(tmp_path).map_item(RawItem("card-lines", "1", payload))


async def test_a_folder_that_is_gone_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is not there"):
        await connect("cards", {**BASE, "folder": str(tmp_path / "gone")}).source.read_changes({}, 1)


@pytest.mark.parametrize(("key", "value"), [("decimal_mark", ","), ("currency", "pounds"), ("colour", "red")])
def test_a_bad_setting_stops_with_its_name(tmp_path: Path, key: str, value: str) -> None:
    named_key = "group_mark" if key == "decimal_mark" else key
    with pytest.raises(Stop, match=rf"systems\.cards\.settings\.{named_key}"):
        connect("cards", {**BASE, "folder": str(tmp_path), key: value})


def test_a_landscape_with_card_statements_is_checked(tmp_path: Path) -> None:
    settings = json.dumps({**BASE, "folder": {"path": "cards"}})
    text = f"""
name: n
kafka: {{bootstrap_servers: "127.0.0.1:1"}}
registry: {{url: "http://127.0.0.1:1"}}
systems:
  cards: {{connector: cardfile, role: asset-management, owner: works, poll_interval_secs: 5, settings: {settings}}}
  more: {{connector: cardfile, role: erp, owner: works, poll_interval_secs: 5, settings: {settings}}}
flows:
  - {{source: cards, target: more, object: cost-document, interval_mins: 1, latency_target_secs: 60, owner: works,
      on_error: hold, mode: enabled}}
"""
    path = tmp_path / "landscape.yaml"
    path.write_text(text, encoding="utf-8")
    misfit = (
        f"{path}:9: flows.0.target: flow cost-document:cards>more: the connector cardfile writes no cost-document; it "
        "writes nothing, and the flow needs cost-document: post"
    )
    assert [fault for fault in check_landscape(path) if "cards does not exist" not in fault] == [misfit]
    (tmp_path / "cards").mkdir()
    assert check_landscape(path) == [misfit]


# ---- the real statements of Oxford City Council ----------------------------------------------------------------

DATA = pytest.mark.skipif(
    not OXFORD.is_dir(), reason=f"the Oxford card files are not here: ../shared/data/{OXFORD.name}"
)


def independent_reading() -> list[tuple[dt.date, Decimal, str]]:
    """Day, amount and reference of every line, by the standard library alone."""
    found = []
    for path in sorted(OXFORD.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                day = row.get("Date") or row["FIN.TRANSACTION DATE"]
                amount = row.get("Value") or row["FIN.TRANSACTION AMOUNT"]
                date = dt.date(int(day[6:]), int(day[3:5]), int(day[:2]))
                found.append((date, Decimal(amount.replace(",", "")), row.get("Reference", "")))
    return found


@DATA
async def test_the_oxford_statements_become_documents_with_equal_sums() -> None:
    theirs = independent_reading()
    found = await every_report(connect("cards", {**BASE, "folder": str(OXFORD)}))
    assert len(found) == len(theirs) == 3_364
    assert Counter((r.fields.effective_date, r.fields.total) for r in found) == Counter((d, a) for d, a, _ in theirs)
    assert sum((r.fields.total for r in found), Decimal(0)) == sum((a for _, a, _ in theirs), Decimal(0))
    assert len({r.origin.native_id for r in found}) == 3_364
    first = [(a, ref) for _, a, ref in theirs if ref]
    documents = [r for r in found if r.fields.work_order.isdigit()]
    assert len(first) == len(documents) == 1_141
    assert sum(a < 0 for a, _ in first) == sum(r.fields.total < 0 for r in documents) == 38
    repeated = Counter(ref for _, ref in first)
    assert Counter(r.fields.work_order for r in documents) == repeated
    assert sum(1 for r in documents if repeated[r.fields.work_order] > 1) == 44


@DATA
async def test_the_oxford_statements_are_accepted_and_commanded_once_each_although_told_twice() -> None:
    hub = Hub(landscape([*FLOWS, ("cost-document", "cards", ERP)], cards="asset-management"))
    reports = await every_report(connect("cards", {**BASE, "folder": str(OXFORD)}))
    hub.say(*reports)
    hub.say(*reports)
    assert hub.dead == []
    total = sum((amount for _, amount, _ in independent_reading()), Decimal(0))
    assert sum((row.fields.total for row in hub.rows(CostState).values()), Decimal(0)) == total
    commands = [command for command in hub.commands[ERP] if isinstance(command, PostCost)]
    assert len(commands) == 3_364
    assert sum((command.fields.total for command in commands), Decimal(0)) == total
    assert hub.commands[AM] == []
    assert len(named(hub.written, "CostPosted")) == 3_364
