"""Declared families: what may be declared, what is refused with place and reason, how strict their records are."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pydantic import ValidationError
from tests.unit.families.estate import LANDSCAPE, in_memory
from typer.testing import CliRunner

from tieline.checking import check_landscape
from tieline.cli import app
from tieline.kernel.codecs import Codec
from tieline.kernel.declarations import declared, read_tree, topics_for
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.families import read_families
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.landscape import load_landscape
from tieline.kernel.records import Typed
from tieline.kernel.serialising import parsed
from tieline.kernel.shapes import FamilyShapes, shapes_of
from tieline.kernel.vocabulary import Origin

REPORTS = "sales.sales-order.report.v1"
FIELDS: dict[str, Any] = {
    "order_number": "SO-1",
    "company": "ACME",
    "customer": None,
    "currency": "EUR",
    "order_date": dt.date(2026, 11, 20),
    "promised_date": None,
    "status": "CONFIRMED",
    "net_total": Decimal("10.0000"),
    "lines": [
        {
            "line_no": 1,
            "item": "PUMP",
            "quantity": Decimal("2.000000"),
            "unit_price": Decimal("5.000000"),
            "net_amount": Decimal("10.0000"),
        }
    ],
}
ORIGIN = Origin(
    system="shop",
    entity="sales-order",
    native_id="1",
    source_version="1",
    recorded_at=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
)


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """A copy of the example to spoil: the landscape's path."""
    shutil.copytree(LANDSCAPE.parent, tmp_path / "families")
    path = tmp_path / "families" / "landscape.yaml"
    profile = LANDSCAPE.parents[2] / "deploy" / "local" / "unio24.profile.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("../../deploy/local/unio24.profile.yaml", str(profile)))
    return path


def folder_of(estate: Path) -> Path:
    return estate.parent / "families" / "sales-order"


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def shapes() -> FamilyShapes:
    return shapes_of(load_landscape(LANDSCAPE, {}).families)


def report(**changes: Any) -> FamilyReport:
    shape = shapes().families["sales-order"]
    return shape.report.model_validate({"origin": ORIGIN, "fields": FIELDS | changes}, strict=False)


# ---- records --------------------------------------------------------------------------------------------------


def test_a_record_of_a_family_is_the_same_after_the_codec() -> None:
    codec = in_memory(LANDSCAPE, {}).codec
    value = Typed("SalesOrderReport", report(customer="C-7", promised_date=dt.date(2026, 12, 24)))
    assert codec.decode(REPORTS, codec.encode(REPORTS, value)) == value


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"net_total": Decimal("NaN")}, "net_total"),
        ({"net_total": Decimal("Infinity")}, "net_total"),
        ({"net_total": Decimal("10.00001")}, "net_total"),
        ({"net_total": Decimal(10**16)}, "net_total"),
        ({"currency": "euro"}, "currency"),
        ({"status": "SHIPPED"}, "status"),
        ({"order_number": "x" * 4001}, "order_number"),
        ({"order_number": None}, "order_number"),
        ({"discount": Decimal(1)}, "discount"),
        ({"lines": [FIELDS["lines"][0] | {"quantity": Decimal("0.0000001")}]}, "quantity"),
        ({"lines": [FIELDS["lines"][0] | {"line_no": 2**63}]}, "line_no"),
        ({"lines": [FIELDS["lines"][0] | {"colour": "red"}]}, "colour"),
    ],
)
def test_a_record_of_a_family_is_as_strict_as_the_hubs_own(change: dict[str, Any], field: str) -> None:
    assert report().fields is not None
    with pytest.raises(ValidationError) as refused:
        report(**change)
    assert refused.value.errors()[0]["loc"][-1] == field


def test_bytes_that_say_nonsense_are_refused_with_the_field() -> None:
    codec = in_memory(LANDSCAPE, {}).codec
    good = codec.encode(REPORTS, Typed("SalesOrderReport", report()))
    out = io.BytesIO()
    content = report().model_dump() | {"fields": report().fields.model_dump() | {"currency": "euro"}}
    fastavro.schemaless_writer(out, parsed(shapes().schema_text("SalesOrderReport")), content)
    with pytest.raises(Rejected, match=r"fields\.currency"):
        codec.decode(REPORTS, good[:5] + out.getvalue())
    with pytest.raises(Rejected, match="bytes are left over"):
        codec.decode(REPORTS, good + b"x")
    assert codec.decode(REPORTS, good).body == report()


def test_a_record_of_a_family_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        report().fields.currency = "USD"  # type: ignore[attr-defined]  # the class is built at run time


def test_the_hubs_own_types_are_the_hubs_own_classes() -> None:
    shape = shapes().families["sales-order"]
    assert shape.report.model_fields["origin"].annotation is Origin
    assert shapes().model_of("AssetReport").__name__ == "AssetReport"


def test_the_classes_are_the_same_ones_each_time() -> None:
    assert shapes() is shapes()


# ---- topics ---------------------------------------------------------------------------------------------------


def test_the_familys_topics_and_those_that_carry_every_family() -> None:
    topics = {topic.name: topic for topic in topics_for(load_landscape(LANDSCAPE, {}))}
    without = {topic.name: topic for topic in topics_for(load_landscape(LANDSCAPE, {}), read_tree(declared()).topics)}
    assert set(topics) - set(without) == {f"sales.sales-order.{klass}.v1" for klass in ("report", "event", "state")}
    gained = {name: set(topics[name].records) - set(without[name].records) for name in without}
    assert {name: records for name, records in gained.items() if records} == {
        "hub.identified.report.v1": {"SalesOrderReport"},
        "sink.shop.command.v1": {"WriteSalesOrder"},
        "sink.unio24.command.v1": {"WriteSalesOrder"},
    }


def test_the_lint_looks_at_declared_families_too(estate: Path) -> None:
    assert CliRunner().invoke(app, ["topics", "lint", "--landscape", str(estate)]).exit_code == 0
    schema = folder_of(estate) / "schemas" / "tieline.SalesOrderFields.avsc"
    spoil(schema, '"doc": "Company code."', '"doc": ""')
    spoil(folder_of(estate) / "topics" / f"{REPORTS}.yaml", "1209600000", "1000")
    found = CliRunner().invoke(app, ["topics", "lint", "--landscape", str(estate)])
    assert found.exit_code == 1
    assert "SalesOrderFields.company: has no doc" in found.output
    assert f"{REPORTS}: a report waits out an outage of a week" in found.output


def test_the_catalogue_has_the_family_with_its_places_in_each_system(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["topics", "catalogue", "--landscape", str(LANDSCAPE), "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "catalogue.md").read_text(encoding="utf-8")
    assert "| shop: `customer.code` | unio24: `customer` |" in page
    assert "| erp (shop) | nobody | shop: `positions.sku` | unio24: `items.article` |" in page
    assert "sales.sales-order.event.v1" in (tmp_path / "asyncapi.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "contracts" / "sales.sales-order.state.v1.odcs.yaml").is_file()


# ---- what is refused ------------------------------------------------------------------------------------------


def test_a_flow_of_an_unknown_object_is_refused_with_its_line(estate: Path) -> None:
    line = next(n for n, text in enumerate(estate.read_text(encoding="utf-8").splitlines(), 1) if "object:" in text)
    spoil(estate, "object: sales-order", "object: sale-order")
    with pytest.raises(Stop, match=rf"{estate}:{line}: flows.0.object: .*no object 'sale-order'.*sales-order"):
        load_landscape(estate, {})


def test_a_flow_from_a_system_that_may_not_say_it_is_refused(estate: Path) -> None:
    spoil(estate, "source: shop\n    target: unio24", "source: unio24\n    target: shop")
    with pytest.raises(Stop, match=r"flows.0.source: .*moves nothing: a sales-order is the erp's to say"):
        load_landscape(estate, {})


def change_field(name: str, /, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "schemas" / "tieline.SalesOrderFields.avsc"
        schema = json.loads(path.read_text(encoding="utf-8"))
        [field] = [one for one in schema["fields"] if one["name"] == name]
        field |= changes
        path.write_text(json.dumps(schema), encoding="utf-8")

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: spoil(folder / name, old, new)


def rename_schema(folder: Path) -> None:
    (folder / "schemas" / "tieline.SalesOrderStatus.avsc").rename(folder / "schemas" / "tieline.Money.avsc")


def take_own_name(folder: Path) -> None:
    spoil(folder / "family.yaml", "family: sales-order", "family: receipt")
    spoil(folder.parents[1] / "landscape.yaml", "object: sales-order", "object: receipt")


def test_the_example_is_complete(estate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "x")
    monkeypatch.setenv("UNIO24_TOKEN", "x")
    assert check_landscape(estate) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace("family.yaml", "owner: erp", "owner: everybody"), "there is no role 'everybody'"),
        (replace("family.yaml", "owner: erp", "owner:"), r"family.yaml:6: owner: Input should be a valid string"),
        (replace("family.yaml", "owner: erp", "colour: red\nowner: erp"), r"family.yaml:6: colour: Extra inputs"),
        (replace("family.yaml", "sales-order", "Sales Order"), r"family.yaml:3: family: "),
        (replace("family.yaml", "domain: sales", "domain: [sales"), r"family.yaml:\d+: not valid YAML"),
        (replace("family.yaml", "order_date", "customer"), "effective_date: customer is no date field"),
        (take_own_name, "the hub itself has records called receipt"),
        (
            replace("schemas/tieline.SalesOrderReport.avsc", '"origin"', '"source"'),
            r"needs exactly the fields origin \(tieline.Origin\), fields \(tieline.SalesOrderFields\)",
        ),
        (
            replace("schemas/tieline.SalesOrderState.avsc", '"type": "long",', '"type": "string",'),
            "needs exactly the fields",
        ),
        (lambda folder: (folder / "schemas" / "tieline.WriteSalesOrder.avsc").unlink(), "there is no such schema"),
        (lambda folder: (folder / "topics" / f"{REPORTS}.yaml").unlink(), "cannot be read"),
        (
            replace(f"topics/{REPORTS}.yaml", "[SalesOrderReport]", "[SalesOrderReport, Money]"),
            r"records must be \[SalesOrderReport\]",
        ),
        (rename_schema, "Money.avsc: the hub itself has a Money"),
        (change_field("net_total", type="double"), "net_total: double is no type of the hub's"),
        (
            change_field("net_total", type={"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
            "net_total: .* is no type of the hub's",
        ),
        (change_field("customer", type=["string", "long"], default="x"), "a union is of null and one other type"),
        (change_field("company", name="model_fields"), "model_fields: cannot be a field here"),
        (change_field("company", name="Company"), "Company: cannot be a field here"),
        (change_field("customer", type=["null", "tieline.SalesOrderFields"]), "refers to itself"),
    ],
)
def test_a_family_that_cannot_work_is_refused_with_file_and_reason(
    estate: Path, change: Callable[[Path], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "x")
    monkeypatch.setenv("UNIO24_TOKEN", "x")
    change(folder_of(estate))
    with pytest.raises(Stop, match=reason):
        shapes_of(load_landscape_afresh(estate))
    [fault] = check_landscape(estate.rename(estate.with_name("again.yaml")))
    assert fault.startswith(f"{estate.parent}/again.yaml:11: families: ")


def load_landscape_afresh(estate: Path) -> Any:
    """The families of the landscape under a path that nothing was read from yet: schemas are read once."""
    moved = estate.parent / "moved"
    shutil.move(estate.parent / "families", moved)
    spoil(estate, "families: families", "families: moved")
    return load_landscape(estate, {}).families


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "      records: {sales-order: {path: families/sales-order/shop.yaml}}\n",
            "",
            ":19: systems.shop.settings.records: flow sales-order:shop>unio24 needs sales-order here",
        ),
        ("sales-order/unio24.yaml", "sales-order/none.yaml", ":32: systems.unio24.settings.records: profile "),
        (
            "{sales-order: {path: families/sales-order/shop",
            "{sales: {path: families/sales-order/shop",
            "no such family",
        ),
    ],
)
def test_a_flow_whose_ends_do_not_map_the_family_is_refused(
    estate: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, reason: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "x")
    monkeypatch.setenv("UNIO24_TOKEN", "x")
    spoil(estate, old, new)
    assert any(reason in fault for fault in check_landscape(estate)), check_landscape(estate)


def test_a_connector_that_maps_no_families_is_not_given_any(estate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(estate, "connector: unio24\n    role: erp", "connector: tryton\n    role: erp")
    assert any(
        fault.endswith("its connector maps no declared families; remove it") for fault in check_landscape(estate)
    ), check_landscape(estate)
    monkeypatch.setenv("SHOP_TOKEN", "x")
    with pytest.raises(Stop, match="its connector maps no declared families"):
        in_memory(estate, {}).connect("shop")


def test_a_folder_without_families_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="there is no such folder"):
        read_families(tmp_path / "nowhere")
    with pytest.raises(Stop, match=r"no folder in it has a family\.yaml"):
        read_families(tmp_path)


def test_two_families_of_one_name_are_refused(estate: Path) -> None:
    shutil.copytree(folder_of(estate), folder_of(estate).with_name("copy"))
    with pytest.raises(Stop, match="two families say family: sales-order"):
        read_families(estate.parent / "families")


def test_a_codec_without_families_knows_the_hubs_own_records_only() -> None:
    hub = in_memory(LANDSCAPE, {})
    good = hub.codec.encode(REPORTS, Typed("SalesOrderReport", report()))
    bare = Codec(hub.topics, hub.codec._registry)
    with pytest.raises(Stop, match="there is no such schema"):
        bare.decode(REPORTS, good)
