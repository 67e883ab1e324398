"""Code lists: looked up both ways at the record's own date; the unmapped and the doubtful are refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tieline.checking import check_landscape
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.code_lists import LISTED, SHARED, CodeEntry, Codes, code_list_faults
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import load_landscape

DEMO = Path(__file__).parents[3] / "deploy" / "local" / "landscape.yaml"
D = dt.date


def entry(code: str, means: str, first: str | None = None, last: str | None = None, **more: Any) -> CodeEntry:
    return CodeEntry.model_validate({"code": code, "means": means, "valid_from": first, "valid_to": last, **more})


# 4711 was IT until the middle of 2026, then the code was given to vehicles; IT moved to 4712 and to 4713.
CENTRES = (
    entry("4711", "IT", None, "2026-06-30"),
    entry("4711", "FLEET", "2026-07-01"),
    entry("4712", "IT", "2026-07-01", preferred=True),
    entry("4713", "IT", "2026-09-01", "2026-12-31"),
)
CODES = Codes("sap", {"cost-centre": CENTRES})


@pytest.mark.parametrize(
    ("code", "day", "means"),
    [
        ("4711", D(2026, 6, 30), "IT"),
        ("4711", D(2026, 7, 1), "FLEET"),
        ("4712", D(2026, 7, 1), "IT"),
        ("4713", D(2026, 9, 1), "IT"),
        ("4713", D(2026, 12, 31), "IT"),
    ],
)
def test_a_code_means_what_it_meant_on_the_day(code: str, day: dt.date, means: str) -> None:
    assert CODES.canonical("cost-centre", code, day, place="x") == means


@pytest.mark.parametrize(
    ("canonical", "day", "code"),
    [
        ("IT", D(2026, 6, 30), "4711"),
        ("IT", D(2026, 7, 1), "4712"),
        ("IT", D(2026, 10, 1), "4712"),
        ("FLEET", D(2026, 7, 1), "4711"),
        ("FLEET", None, "4711"),
    ],
)
def test_the_code_that_is_written_is_that_of_the_day_and_the_preferred_one(
    canonical: str, day: dt.date | None, code: str
) -> None:
    assert CODES.native("cost-centre", canonical, day, place="x") == code


@pytest.mark.parametrize(("code", "day"), [("4714", D(2026, 7, 1)), ("4713", D(2027, 1, 1)), ("4712", D(2026, 6, 30))])
def test_an_unmapped_code_is_refused_with_the_remedy(code: str, day: dt.date) -> None:
    with pytest.raises(Rejected) as caught:
        CODES.canonical("cost-centre", code, day, place="category")
    assert caught.value.field == "category"
    assert caught.value.reason == f"cost-centre code '{code}' means nothing canonical on {day}"
    assert caught.value.remedy == "add it to code_lists.cost-centre.sap in the landscape, start again, then replay"


@pytest.mark.parametrize(
    ("canonical", "day"), [("FLEET", D(2026, 6, 30)), ("HR", D(2026, 7, 1)), ("it", D(2026, 7, 1))]
)
def test_a_canonical_code_that_the_system_lacks_is_refused(canonical: str, day: dt.date) -> None:
    with pytest.raises(Rejected, match=f"'{canonical}' has no code in sap on {day}"):
        CODES.native("cost-centre", canonical, day, place="fields.cost_centre")


def test_without_a_day_only_what_was_always_the_same_is_known() -> None:
    with pytest.raises(Rejected, match="or not always the same one"):
        CODES.canonical("cost-centre", "4711", None, place="x")
    ever = Codes("sap", {"cost-centre": (entry("1", "A", None, "2026-06-30"), entry("2", "A", "2026-07-01"))})
    with pytest.raises(Rejected, match="or not always the same one"):
        ever.native("cost-centre", "A", None, place="x")


def test_a_list_the_landscape_does_not_have_is_shared() -> None:
    fields = AssetFields(asset_class="PC", cost_centre="any", location="L")
    assert SHARED.canonical_fields(fields, D(2026, 1, 1), place=str) is fields
    assert SHARED.native_fields(fields, None) is fields
    assert CODES.canonical("unit", "pcs", D(2026, 1, 1), place="x") == "pcs"


def test_a_record_goes_in_and_out_by_its_lists_and_nothing_else_of_it_changes() -> None:
    theirs = AssetFields(asset_class="PC", cost_centre="4711", description="4711")
    ours = CODES.canonical_fields(theirs, D(2026, 8, 1), place=str)
    assert ours == AssetFields(asset_class="PC", cost_centre="FLEET", description="4711")
    assert CODES.native_fields(ours, D(2026, 8, 1)) == theirs


def test_a_field_that_is_not_sent_needs_no_code() -> None:
    fields = AssetFields(cost_centre="HR", location="L1")
    assert CODES.native_fields(fields, D(2026, 8, 1), only=["location"]) == fields
    with pytest.raises(Rejected, match=r"fields\.cost_centre: cost-centre 'HR' has no code"):
        CODES.native_fields(fields, D(2026, 8, 1), only=["cost_centre"])


def test_reading_back_an_unmapped_code_is_a_difference_not_a_fault() -> None:
    held = CODES.read_only().canonical("cost-centre", "9", D(2026, 8, 1), place="x")
    assert held == "?9"
    assert CODES.read_only().canonical("cost-centre", "4712", D(2026, 8, 1), place="x") == "IT"


def test_every_listed_field_exists() -> None:
    for model, fields in LISTED.items():
        assert set(fields) <= set(model.model_fields)


def faults(name: str, *entries: CodeEntry) -> list[tuple[Any, str]]:
    lists: Any = {name: {"sap": entries}}
    return [(place[3:], reason) for place, reason in code_list_faults(lists, {"sap"})]


def test_a_clear_list_has_no_faults() -> None:
    assert faults("cost-centre", *CENTRES) == []


@pytest.mark.parametrize(
    ("entries", "place", "reason"),
    [
        ([entry("1", "A"), entry("1", "A", "2026-01-01")], (1,), "1 stands twice for the same days"),
        (
            [entry("1", "A", None, "2026-06-30"), entry("1", "B", "2026-06-30")],
            (1,),
            "1 stands twice for the same days",
        ),
        (
            [entry("1", "A"), entry("2", "A", "2026-01-01")],
            (1,),
            "A is 1 and 2 from 2026-01-01 on at the same time: mark exactly one of them preferred",
        ),
        (
            [entry("1", "A", preferred=True), entry("2", "A", "2026-01-01", preferred=True)],
            (1,),
            "A is 1 and 2 from 2026-01-01 on at the same time: mark exactly one of them preferred",
        ),
        ([entry("1", "A", "2026-02-01", "2026-01-31")], (0, "valid_to"), "1 ends before it begins"),
    ],
)
def test_a_doubtful_list_is_refused(entries: list[CodeEntry], place: Any, reason: str) -> None:
    assert (place, reason) in faults("cost-centre", *entries)


def test_a_unit_must_be_one_of_un_ece() -> None:
    assert faults("unit", entry("pcs", "EA")) == []
    assert faults("unit", entry("pcs", "PCS")) == [((0, "means"), "'PCS' is no UN/ECE unit code that the hub knows")]


LISTS = """
code_lists:
  cost-centre:
    tryton:
      - {code: "4711", means: IT, valid_to: 2026-06-30}
      - {code: "4712", means: IT, valid_from: 2026-07-01}
"""


def landscape(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "landscape.yaml"
    path.write_text(DEMO.read_text(encoding="utf-8") + text, encoding="utf-8")
    return path


def test_a_landscape_keeps_its_lists(tmp_path: Path) -> None:
    found = load_landscape(landscape(tmp_path, LISTS))
    assert [e.code for e in found.code_lists["cost-centre"]["tryton"]] == ["4711", "4712"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"4712"', '"4711", preferred: true', None),
        ("valid_from: 2026-07-01", "valid_from: 2026-06-30", "mark exactly one of them preferred"),
        ('"4712"', "4712", "code_lists.cost-centre.tryton.1.code: Input should be a valid string"),
        ("    tryton:", "    sap:", "there is no system 'sap' under systems"),
        ("  cost-centre:", "  colour:", "code_lists.colour"),
        ("valid_from: 2026-07-01", "from: 2026-07-01", "code_lists.cost-centre.tryton.1.from: Extra inputs"),
    ],
)
def test_a_faulty_list_is_refused_with_file_and_line(tmp_path: Path, old: str, new: str, reason: str | None) -> None:
    text = LISTS.replace(old, new)
    path = landscape(tmp_path, text)
    if reason is None:
        load_landscape(path)
        return
    with pytest.raises(Stop) as caught:
        load_landscape(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(n for n, line in enumerate(lines, 1) if new in line and n > lines.index("code_lists:"))
    assert str(caught.value).startswith(f"{path}:{at}: ")
    assert reason in str(caught.value)


def test_a_list_that_no_connector_applies_is_refused_by_check(tmp_path: Path) -> None:
    path = landscape(tmp_path, LISTS.replace("cost-centre", "tax"))
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines[lines.index("code_lists:") :], 1) if line == "    tryton:")
    at += lines.index("code_lists:")
    assert any(
        fault.startswith(f"{path}:{at}: code_lists.tax.tryton: its connector applies no such list")
        for fault in check_landscape(path)
    )
    assert not any("code_lists" in fault for fault in check_landscape(landscape(tmp_path, LISTS)))
