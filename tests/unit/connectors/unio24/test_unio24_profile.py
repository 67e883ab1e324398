"""The profile refuses what it does not understand, with line and key; the field table is what it renders."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tieline.connectors.unio24.fieldtable import render_field_table
from tieline.connectors.unio24.profile import load_profile, parse_profile
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.errors import Stop

ROOT = Path(__file__).parents[4]
PROFILE_FILE = ROOT / "deploy" / "local" / "unio24.profile.yaml"
TEXT = PROFILE_FILE.read_text(encoding="utf-8")


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("max_length: 120", "max_lenght: 120", "assets.fields.description.max_lenght", "is not a known key"),
        ("max_length: 120", "max_length: long", "assets.fields.description.max_length", "should be a valid integer"),
        ("max_length: 120", "max_length: 0", "assets.fields.description.max_length", "greater than or equal to 1"),
        ("{path: name, max", "{max", "assets.fields.description", "needs either path or constant"),
        ("    tag: {", "    tagg: {", "assets.fields.tagg", "is not a canonical field; known are tag, serial_number"),
        (
            "SALE: sold",
            "SALED: sold",
            "assets.fields.disposal_kind",
            "values has SALED; the canonical symbols are SALE",
        ),
        ("{path: purchase_date}", "{path: d, format: DMY}", "assets.fields.acquisition_date", "format is iso, epoch"),
        ("{path: condition}", "{path: c, format: iso}", "assets.fields.condition", "format makes no sense"),
        (", currency_path: currency}", "}", "assets.fields.acquisition_cost", "needs either currency_path or currency"),
        ("{path: cost}", "{path: cost, binary_float: true}", "books.fields.gross_cost", "binary_float needs decimals"),
        ("{path: cost}", "{path: cost, group_mark: .}", "books.fields.gross_cost", "group_mark must differ"),
        (
            "{path: quantity}\n    acq",
            "{path: q, letter_case: upper}\n    acq",
            "assets.fields.quantity",
            "makes no sense",
        ),
        ("{path: condition}", "{path: c, decimals: 2}", "assets.fields.condition", "decimals makes no sense"),
        ("{path: condition}", "{path: c, otherwise: reject}", "assets.fields.condition", "otherwise needs values"),
        (
            "{path: site, max_length: 50}",
            "{constant: SITE, absent: x}",
            "assets.fields.location",
            "absent makes no sense beside constant",
        ),
        ("  gross_cost: {path: cost}", "  gross_cost: {}", "books.fields.gross_cost", "needs either path or constant"),
        ("finance/{book_id}", "finance/{book}", "books.item_path", "needs the placeholders {asset_id} and {book_id}"),
        ("/api/v1/finance", "api/v1/finance", "books.list_path", "should match pattern"),
        ("profile_version: 1", "profile_version: 2", "profile_version", "should be 1"),
        ("asset: assets", "asset: orders", "webhook.streams.asset", "should be 'assets', 'cost-documents', 'audits'"),
        ("  id_header: X-Unio24-Id", "  url: url", "webhook.id_header", "is missing"),
        ("  size_parameter: limit", "  size_parameter: a b", "paging.size_parameter", "should match pattern"),
        (
            "    serial_number: serial\n",
            "    color: serial\n",
            "assets.search.color.[key]",
            "should be 'serial_number'",
        ),
    ],
)
def test_a_fault_is_named_with_file_line_and_key(old: str, new: str, key: str, message: str) -> None:
    assert TEXT.count(old) == 1
    broken = TEXT.replace(old, new)
    with pytest.raises(Stop) as caught:
        parse_profile(broken, name="mine.yaml")
    fault = next(line for line in str(caught.value).splitlines() if f", {key}: " in line)
    assert message in fault
    # What is missing is reported where the part that lacks it begins.
    begins = {"webhook.id_header": "webhook:", "assets.fields.acquisition_cost": "acquisition_cost:"}
    begins["assets.fields.disposal_kind"] = "disposal_kind:"
    place = begins.get(key, new.strip().splitlines()[0])
    assert fault.startswith(f"mine.yaml line {line_of(broken, place)}, ")


def test_every_fault_is_listed_at_once() -> None:
    broken = TEXT.replace("SALE: sold", "SALED: sold").replace("    work_order: {path: work_order}\n", "")
    with pytest.raises(Stop) as caught:
        parse_profile(broken, name="mine.yaml")
    assert "SALED" in str(caught.value)
    assert "work_order is missing; every record needs it" in str(caught.value)


def test_a_key_that_stands_twice_is_refused() -> None:
    broken = TEXT.replace("    work_order: {path: work_order}", "    company: {path: x}")
    with pytest.raises(Stop, match=r"line \d+, cost_documents.fields.company: the key stands twice"):
        parse_profile(broken, name="mine.yaml")


def test_broken_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(Stop, match="line 2"):
        parse_profile("name: x\n  - :\n a", name="mine.yaml")
    with pytest.raises(Stop, match="a mapping is wanted"):
        parse_profile("- a\n", name="mine.yaml")


def test_a_missing_or_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"No such file.*set the profile setting"):
        load_profile(tmp_path / "none.yaml")
    (tmp_path / "long.yaml").write_bytes(b"#" * 300_000)
    with pytest.raises(Stop, match="longer than 256000 bytes"):
        load_profile(tmp_path / "long.yaml")


def test_the_field_table_in_the_docs_is_not_stale() -> None:
    shown = (ROOT / "docs" / "reference" / "unio24-fields.md").read_text(encoding="utf-8")
    assert shown == render_field_table(load_profile(PROFILE_FILE))


def test_the_field_table_follows_the_profile() -> None:
    changed = TEXT.replace("tag: {path: tag, max_length: 50}", "tag: {path: label.text, direction: in}")
    table = render_field_table(parse_profile(changed, name="mine.yaml"))
    assert "| tag | text | `label.text` | read |" in table
    assert "| financial_status | enum | not mapped |" in table
    for name in AssetFields.model_fields:
        assert f"\n| {name} |" in table


def test_the_manifest_declares_the_fields_of_the_shipped_profile() -> None:
    manifest_file = ROOT / "services" / "tieline" / "connectors" / "unio24" / "manifest.yaml"
    manifest = yaml.safe_load(manifest_file.read_text(encoding="utf-8"))
    assert set(manifest["objects"]["asset"]["fields"]) == set(load_profile(PROFILE_FILE).assets.fields)
    assert all(rule.get("why") for rule in manifest["rules"].values() if rule["status"] == "exempt")
