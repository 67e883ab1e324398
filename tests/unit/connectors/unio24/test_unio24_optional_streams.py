"""Streams that a profile may map: audits thing by thing, equipment links, reference records."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.fieldtable import render_field_table, tables
from tieline.connectors.unio24.mapping import check_mapped_once
from tieline.connectors.unio24.models import ListPage, Record, StreamName, reference_stream
from tieline.connectors.unio24.optional_streams import optional_reports
from tieline.connectors.unio24.profile import Profile, load_profile, parse_profile
from tieline.connectors.unio24.records import map_any
from tieline.connectors.unio24.resources import Resource
from tieline.connectors.unio24.sandbox import PREFIX, routes
from tieline.connectors.unio24.sandbox_assets import Answer, Call
from tieline.connectors.unio24.sandbox_store import Store
from tieline.connectors.unio24.settings import Settings
from tieline.connectors.unio24.source import Unio24Source
from tieline.kernel.audit_records import AuditReport, AuditResult
from tieline.kernel.code_lists import CodeEntry, Codes
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import load_landscape
from tieline.kernel.privacy import IDS_ONLY
from tieline.kernel.protocols import Page, RawItem
from tieline.kernel.reference_records import FAMILIES, ReferenceReport, ReferenceStatus

ROOT = Path(__file__).parents[4]
PROFILE_FILE = ROOT / "deploy" / "local" / "unio24.profile.yaml"
TEXT = PROFILE_FILE.read_text(encoding="utf-8")
PROFILE = load_profile(PROFILE_FILE)
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
STAMPS: Mapping[str, object] = {"version": 3, "updated_at": "2026-11-21T12:00:00Z"}
LINES = [
    {"line": 1, "result": "found", "date": "2026-11-20", "asset_id": 7, "barcode": "AT-00007"},
    {"line": 2, "result": "unknown", "date": "2026-11-21", "asset_id": None, "barcode": "???"},
    {"line": 3, "result": "missing", "date": "2026-11-21", "asset_id": 8, "barcode": None},
]
AUDIT: Mapping[str, object] = {
    "id": 4,
    **STAMPS,
    "state": "closed",
    "site": "BER-HQ",
    "auditor": "E-1001",
    "lines": LINES,
}
LINK: Mapping[str, object] = {
    "id": 2,
    **STAMPS,
    "equipment_id": 7,
    "asset_id": 9,
    "share_of": {"part": 1, "whole": 3},
    "valid_from": "2026-01-01",
}
PERSON: Mapping[str, object] = {
    "id": 12,
    **STAMPS,
    "person_id": "E-1001",
    "full_name": "Ada Lovelace",
    "hired_on": "2020-01-01",
    "active": True,
}


def changed(*swaps: tuple[str, str]) -> Profile:
    text = TEXT
    for old, new in swaps:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse_profile(text, name="changed.yaml")


def reports(stream: str, record: Record, profile: Profile = PROFILE) -> list[Any]:
    return list(optional_reports(profile, "am", stream, record))


def test_an_audit_says_of_each_thing_what_was_seen() -> None:
    found, unknown, missing = reports("audits", AUDIT)
    assert isinstance(found, AuditReport)
    assert (found.origin.entity, found.origin.native_id, found.origin.source_version) == ("audit", "4|1", "3")
    assert found.origin.recorded_at == NOW
    assert (found.fields.result, found.fields.asset_native_id, found.fields.label) == (
        AuditResult.VERIFIED,
        "7",
        "AT-00007",
    )
    # Said once for the whole audit; the day is the line's own.
    assert (found.fields.location, found.fields.audited_by) == ("BER-HQ", "E-1001")
    assert found.fields.audited_on == dt.date(2026, 11, 20)
    assert (unknown.fields.result, unknown.fields.asset_native_id) == (AuditResult.UNREGISTERED, None)
    assert (missing.fields.result, missing.fields.asset_native_id, missing.fields.label) == (
        AuditResult.NOT_FOUND,
        "8",
        None,
    )


def test_an_audit_under_way_says_nothing_yet() -> None:
    assert reports("audits", {**AUDIT, "state": "open"}) == []


def test_an_audit_may_be_a_record_for_each_thing() -> None:
    profile = changed(
        ("  lines: lines\n  line_id: line\n  line_fields:\n    asset_native_id", "    asset_native_id"),
        ("  complete: {path: state, values: closed}  # before that somebody is still looking\n", ""),
    )
    [report] = reports("audits", {"id": 4, **STAMPS, "site": "B", **LINES[0]}, profile)
    assert (report.origin.native_id, report.fields.asset_native_id, report.fields.location) == ("4", "7", "B")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"lines": [{**LINES[0], "date": "soon"}]}, "lines.0.date"),
        ({"lines": [LINES[0], {**LINES[1], "line": None}]}, "lines.1.line"),
        ({"lines": None}, "lines"),
        ({"lines": [3]}, "lines.0"),
        ({"site": {"code": "B"}}, "site"),
        ({"id": None}, "id"),
    ],
)
def test_a_fault_in_an_audit_is_named_by_its_place(change: Mapping[str, object], place: str) -> None:
    with pytest.raises(Rejected) as caught:
        reports("audits", {**AUDIT, **change})
    assert caught.value.field == place


def test_an_audits_place_is_the_canonical_one() -> None:
    codes = Codes("am", {"location": (CodeEntry(code="BER-HQ", means="BERLIN"),)})
    [first, *_] = optional_reports(PROFILE, "am", "audits", AUDIT, codes)
    assert isinstance(first, AuditReport)
    assert first.fields.location == "BERLIN"


def test_t29_a_third_is_a_third() -> None:
    [link] = reports("equipment-links", LINK)
    assert isinstance(link, EquipmentLinkReport)
    fields = link.fields
    assert (link.origin.entity, link.origin.native_id) == ("equipment-link", "2")
    assert (fields.equipment_native_id, fields.asset_system, fields.asset_native_id) == ("7", "am", "9")
    assert (fields.share_part, fields.share_whole, fields.quantity) == (1, 3, None)
    assert (fields.valid_from, fields.valid_to) == (dt.date(2026, 1, 1), None)


SHARES = "    share_part: {path: share_of.part}  # or percent; without a share it is of the whole\n"
WHOLE = "    share_whole: {path: share_of.whole}\n"


@pytest.mark.parametrize(
    ("rules", "said", "share"),
    [
        ("    percent: {path: pct}\n", {"pct": "12.5"}, (1, 8)),
        ("    percent: {path: pct}\n", {"pct": None}, (1, 1)),
        ("", {}, (1, 1)),
    ],
)
def test_a_share_may_be_in_per_cent_or_not_said(rules: str, said: Mapping[str, object], share: tuple[int, int]) -> None:
    [link] = reports("equipment-links", {**LINK, **said}, changed((SHARES, rules), (WHOLE, "")))
    assert (link.fields.share_part, link.fields.share_whole) == share


@pytest.mark.parametrize(
    ("share", "place"),
    [({"part": 1, "whole": 0}, "share_of.whole"), ({"whole": 3}, "share_of.part"), ({"part": 1}, "share_of.whole")],
)
def test_half_a_share_is_refused(share: Mapping[str, object], place: str) -> None:
    with pytest.raises(Rejected, match="needs a part and a whole") as caught:
        reports("equipment-links", {**LINK, "share_of": share})
    assert caught.value.field == place


def test_a_fixed_asset_may_stand_in_another_system() -> None:
    profile = changed(
        ("  fields:\n    equipment_native_id", "  fields:\n    asset_system: {constant: erp}\n    equipment_native_id")
    )
    [link] = reports("equipment-links", LINK, profile)
    assert link.fields.asset_system == "erp"


def test_a_location_without_a_status_of_its_own_is_active() -> None:
    [report] = reports("reference-location", {"id": 3, **STAMPS, "code": "BER-LAB", "part_of": "BER"})
    assert isinstance(report, ReferenceReport)
    assert (report.origin.entity, report.origin.native_id, report.deleted) == ("location", "3", False)
    assert (report.fields.code, report.fields.parent) == ("BER-LAB", "BER")
    assert report.fields.status is ReferenceStatus.ACTIVE


def test_t40_a_person_is_an_id_and_no_name() -> None:
    [report] = reports("reference-employee", {**PERSON, "left_on": "2026-12-31", "active": False})
    assert (report.fields.code, report.fields.name) == ("E-1001", None)
    assert (report.fields.valid_to, report.fields.status) == (dt.date(2026, 12, 31), ReferenceStatus.CLOSED)
    assert "Lovelace" not in IDS_ONLY.conceal(report).model_dump_json()


def test_an_archived_record_counts_as_deleted() -> None:
    [report] = reports("reference-employee", {**PERSON, "archived": True})
    assert report.deleted


def test_a_stream_the_profile_does_not_map_is_none() -> None:
    with pytest.raises(Rejected, match="there is no stream reference-supplier"):
        map_any(PROFILE, "am", {}, Codes("am", {}), RawItem("reference-supplier", "1", b"{}"))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**40), max_value=2**40),
    st.text(max_size=50),
    st.sampled_from(["NaN", "1e5", "2026-13-01", "9999-12-31T23:59:59-14:00"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
WHOLE_RECORDS = {"audits": AUDIT, "equipment-links": LINK, "reference-employee": PERSON}


@settings(max_examples=150, deadline=None)
@given(data=st.data(), stream=st.sampled_from(sorted(WHOLE_RECORDS)))
def test_whatever_a_record_holds_it_is_mapped_or_rejected_by_name(data: st.DataObject, stream: str) -> None:
    record = copy.deepcopy(dict(WHOLE_RECORDS[stream]))
    part = (
        cast("list[dict[str, object]]", record["lines"])[0]
        if data.draw(st.booleans()) and "lines" in record
        else record
    )
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JUNK)
    assert fault_of(stream, record) != ""


def fault_of(stream: str, record: Record) -> str | None:
    """The field of the rejection, None where there is none; any other error is the test's failure."""
    try:
        optional_reports(PROFILE, "am", stream, record)
    except Rejected as rejection:
        return rejection.field or ""
    return None


AUDITS_SECTION = TEXT[TEXT.index("audits:  #") : TEXT.index("# The sandbox keeps records of any kind")]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("  line_id: line\n", "", "audits.line_fields", "lines, line_id and line_fields go together"),
        ("    audited_on: {path: date}\n", "", "audits.line_fields", "audited_on is missing; every result needs it"),
        (
            "    label: {path: barcode}",
            "    location: {path: place}",
            "audits.location",
            "stands in fields and in line_fields",
        ),
        ("VERIFIED: found", "SEEN: found", "audits.line_fields.result", "values has SEEN"),
        ("/api/v1/audits/{id}", "/api/v1/audits", "audits.item_path", "needs the placeholders {id}"),
        (WHOLE, "", "equipment_links.fields", "a share is percent, or share_part of share_whole"),
        (WHOLE, WHOLE + "    percent: {path: p}\n", "equipment_links.fields", "a share is percent, or share_part"),
        ("    equipment_native_id: {path: equipment_id}\n", "", "equipment_links.fields", "equipment_native_id is"),
        ("{constant: ACTIVE}", "{constant: OPEN}", "references.location.fields.status", "constant is OPEN"),
        ("  location:\n", "  place:\n", "references.place", "is no family of reference records"),
        (
            "      code: {path: person_id}",
            "      code: {path: person_id}\n      name: {path: full_name}",
            "references.employee.fields.name",
            "an employee's name never enters the hub",
        ),
        (
            "reference-employee",
            "reference-supplier",
            "webhook.streams.persons",
            "the profile maps no reference-supplier",
        ),
        (AUDITS_SECTION, "", "webhook.streams.audit", "the profile maps no audits"),
    ],
)
def test_a_fault_of_the_profile_is_named(old: str, new: str, place: str, message: str) -> None:
    with pytest.raises(Stop) as caught:
        changed((old, new))
    assert any(f", {place}" in line and message in line for line in str(caught.value).splitlines()), caught.value


def test_every_family_of_reference_records_has_a_stream() -> None:
    families = {name for name in get_args(StreamName) if name.startswith("reference-")}
    assert families == {reference_stream(family) for family in FAMILIES}


def test_a_profile_without_them_reads_as_before() -> None:
    start, end = TEXT.index("audits:  #"), TEXT.index("paging:\n")
    text = TEXT[:start] + TEXT[end : TEXT.index("    audit: audits")]
    bare = parse_profile(text, name="bare.yaml")
    assert (bare.audits, bare.equipment_links, bare.references) == (None, None, {})
    assert set(tables_of(bare)) == {"Asset", "Finance panel", "Finance panel: schedule line", "Cost document"} | {
        "Cost document: line",
        "Cost document: receiver of a line",
    }


def tables_of(profile: Profile) -> list[str]:
    return re.findall(r"^## (.*)$", render_field_table(profile), re.MULTILINE)


def test_the_field_table_shows_them() -> None:
    table = render_field_table(PROFILE)
    assert "| result | enum | `lines.result` | read | VERIFIED = found, NOT_FOUND = missing" in table
    assert "| location | text | `site` | read |" in table
    assert "| share_whole | integer | `share_of.whole` | read |" in table
    assert {"Reference record: location", "Reference record: employee"} <= set(tables_of(PROFILE))
    found = tables({"profile": str(PROFILE_FILE)})
    assert found["AuditFields"].places["asset_native_id"].read == ("lines.asset_id",)
    assert found["EquipmentLinkFields"].places["asset_system"].note == "always the system itself"
    assert found["ReferenceFields"].places["code"].read == ("location: code", "employee: person_id")


class StoreClient:
    """What the source talks to: the sandbox's handlers, without HTTP between. ``asked`` are the paths of lists."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: list[str] = []

    async def list_page(
        self,
        resource: Resource,
        *,
        size: int,
        token: str | None = None,
        modified_since: dt.datetime | None = None,
    ) -> ListPage:
        self.asked.append(resource.list_path)
        query = {"limit": str(size)} | ({"page_token": token} if token else {})
        if modified_since is not None:
            query["modified_since"] = modified_since.strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = cast("dict[str, Any]", handled(self.store, "GET", resource.list_path, query=query).body)
        return ListPage(answer["items"], answer["next_page_token"], dt.datetime.fromisoformat(self.store.now()))

    async def get(self, resource: Resource, **ids: str) -> Record | None:
        return cast("Record", handled(self.store, "GET", resource.item_path.format(**ids)).body)


def handled(
    store: Store,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    query: Mapping[str, str] | None = None,
) -> Answer:
    for verb, pattern, handler in routes():
        names = re.findall(r"{(\w+)}", pattern)
        match = re.fullmatch(PREFIX + re.sub(r"{\w+}", "([^/]+)", pattern), path)
        if verb == method and match:
            with store.transaction():
                return handler(
                    store, Call(dict(zip(names, match.groups(), strict=True)), query or {}, dict(body or {}))
                )
    raise AssertionError(f"{method} {path}")


class Ticking:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_secs(self, secs: int) -> None:
        self.now += dt.timedelta(seconds=secs)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def store(tmp_path: Path, clock: Ticking) -> Iterator[Store]:
    store = Store(tmp_path / "sandbox.db", clock)
    yield store
    store.close()


def source_of(store: Store) -> Unio24Source:
    settings = Settings(endpoint="http://127.0.0.1:1", profile=PROFILE_FILE, token=SecretStr("t"), page_size=2)
    return Unio24Source(cast("Client", StoreClient(store)), PROFILE, settings)


def drain(source: Unio24Source, position: Mapping[str, str]) -> tuple[list[RawItem], Mapping[str, str]]:
    items: list[RawItem] = []
    while True:
        page: Page = asyncio.run(source.read_changes(position, 3))
        items += page.items
        position = page.position
        if not page.more:
            return items, position


def say(store: Store, path: str, **body: object) -> dict[str, Any]:
    return cast("dict[str, Any]", handled(store, "POST", PREFIX + path, body).body)


def test_what_changed_is_read_once_and_resumed(store: Store, clock: Ticking) -> None:
    source = source_of(store)
    asset = say(store, "/assets", name="Press", site="BER", tag="T1")
    for number in range(5):
        say(store, "/records/locations", code=f"L{number}")
    say(store, "/records/persons", person_id="E-1", active=True)
    audit = say(store, "/audits", site="BER", auditor="E-1")
    say(store, f"/audits/{audit['id']}/scans", barcode="T1", at="2026-11-20")
    items, position = drain(source, {})
    assert {(item.stream, item.native_id) for item in items} == {
        *((("reference-location"), str(number)) for number in range(1, 6)),
        ("reference-employee", "6"),
        ("audits", "1"),
        ("assets", str(asset["id"])),
    }
    assert len(items) == 8
    # Who may have a thing in charge is told before the thing.
    streams = [item.stream for item in items]
    assert streams.index("reference-employee") < streams.index("assets")
    assert drain(source, position)[0] == []

    clock.pass_secs(60)
    say(store, f"/audits/{audit['id']}/close", mark_lost=True)
    handled(store, "PATCH", f"{PREFIX}/records/persons/6", {"active": False})
    # Another process goes on where this one stood.
    items, position = drain(source_of(store), position)
    assert [(item.stream, item.native_id) for item in items] == [("reference-employee", "6"), ("audits", "1")]
    results = map_any(PROFILE, "am", {}, Codes("am", {}), items[1])
    assert [cast("AuditReport", one).fields.result for one in results] == [AuditResult.VERIFIED]
    assert drain(source_of(store), position)[0] == []


def test_an_audits_record_is_read_back_by_its_id(store: Store) -> None:
    say(store, "/audits", site="BER")
    item = asyncio.run(source_of(store).read_one("audits", "1"))
    assert item is not None
    assert (item.stream, item.native_id) == ("audits", "1")


def test_a_closed_audit_names_what_it_missed(store: Store) -> None:
    say(store, "/assets", name="Press", site="BER", tag="T1")
    missing = say(store, "/assets", name="Drill", site="BER", tag="T2")
    audit = say(store, "/audits", site="BER")
    for barcode in ("T1", "nobody's"):
        say(store, f"/audits/{audit['id']}/scans", barcode=barcode)
    say(store, f"/audits/{audit['id']}/close")
    [record] = cast("dict[str, Any]", handled(store, "GET", f"{PREFIX}/audits").body)["items"]
    assert record["version"] == 4  # opened, two scans, closed
    found = {report.fields.result: report.fields for report in reports("audits", record)}
    assert found[AuditResult.NOT_FOUND].asset_native_id == str(missing["id"])
    assert found[AuditResult.UNREGISTERED].label == "nobody's"
    assert found[AuditResult.VERIFIED].label == "T1"
    assert {one.audited_on for one in found.values()} == {NOW.date()}


def test_a_webhook_calls_a_record_by_its_collection(store: Store) -> None:
    with store.transaction() as transaction:
        for _, pattern, handler in routes():
            if pattern == "/records/{collection}" and handler.__name__ == "create_record":
                handler(store, Call({"collection": "persons"}, {}, {"person_id": "E-1"}))
    assert [(change.object, change.object_id) for change in transaction.changes] == [("persons", 1)]
    assert PROFILE.webhook.streams["persons"] == "reference-employee"
    # The journal says what it always said.
    assert store.journal(0, 10)[0]["object"] == "record"


def test_the_demo_landscape_names_who_owns_persons() -> None:
    landscape = load_landscape(PROFILE_FILE.with_name("landscape.yaml"), environ={})
    assert landscape.references.owners["employee"] == "unio24"


def test_codes_are_not_translated_twice() -> None:
    codes = Codes("am", {"location": (CodeEntry(code="b", means="B"),)})
    profile = changed(
        ("    location: {path: site}\n    audited_by", "    location: {path: site, values: {B: b}}\n    audited_by")
    )
    with pytest.raises(Stop, match=r"audits\.fields\.location has its own values"):
        check_mapped_once(profile, codes)
    check_mapped_once(PROFILE, codes)
