"""Reference records on their way in: whose they are, on which topic, and without anybody's name."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from tests.unit.processors.bench import AM, ERP, NOW, asset, euros, landscape

from tieline.kernel.capturing import report_record
from tieline.kernel.codecs import model_of
from tieline.kernel.declarations import parsed_schema
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import Landscape, load_landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.observing import observe_report
from tieline.kernel.ownership import reference_owners
from tieline.kernel.privacy import IDS_ONLY, Custodians
from tieline.kernel.reference_records import (
    FAMILIES,
    ReferenceEvent,
    ReferenceFields,
    ReferenceRecord,
    ReferenceReport,
    ReferenceState,
    ReferenceStatus,
)
from tieline.kernel.vocabulary import Origin

KEY = "k" * 32
DAY = dt.date(2026, 11, 1)


def report(family: str = "employee", native_id: str = "E-1", **fields: Any) -> ReferenceReport:
    origin = Origin(system=ERP, entity=family, native_id=native_id, source_version="1", recorded_at=NOW)
    values = {"code": "E-1", "status": ReferenceStatus.ACTIVE} | fields
    return ReferenceReport(origin=origin, fields=ReferenceFields(**values))


def estate(references: Mapping[str, object]) -> Landscape:
    return Landscape.model_validate({**landscape(hris="erp").model_dump(mode="json"), "references": references})


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_report_goes_to_the_topic_of_its_family(family: str) -> None:
    record = report_record(report(family))
    assert (record.topic, record.key) == (f"reference.{family}.report.v1", f"{ERP}/E-1")


def test_a_report_of_no_family_is_refused_before_any_topic() -> None:
    with pytest.raises(Rejected, match="'person' is no family"):
        report_record(report("person"))


def test_one_class_serves_the_events_of_every_family() -> None:
    assert {model_of(f"Reference{what}") for what in ("Added", "Changed", "Removed")} == {ReferenceEvent}
    assert model_of("ReferenceState") is ReferenceState


def test_what_the_hub_keeps_survives_avro() -> None:
    fields = report("cost-centre", valid_from=DAY, balance_sheet_relevant=True).fields
    record = ReferenceRecord(native_id="1", recorded_at=NOW, fields=fields)
    proposal = asset(AM, "9", cost_centre="CC2", acquisition_cost=euros("1.50"))
    rows = (
        report("cost-centre", valid_to=DAY, name="Workshop"),
        ReferenceState(reference_id="*|E-1", version=1, origin_system=ERP, records=(record,)),
        Conflict(
            canonical_id="a1",
            field="cost_centre",
            owner=ERP,
            system=AM,
            detected_at=NOW,
            reason="closed",
            remedy="open it",
            proposal=proposal,
        ),
    )
    for row in rows:
        name, out = type(row).__name__, io.BytesIO()
        fastavro.schemaless_writer(out, parsed_schema(name), row.model_dump(mode="python"))
        content = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), parsed_schema(name), None)
        assert type(row).model_validate(content, strict=False) == row


def test_no_reconciliation_compares_reference_records() -> None:
    with pytest.raises(Rejected, match="cost-centre is not compared"):
        observe_report("r1", report("cost-centre"))


def test_families_belong_to_roles_unless_the_landscape_names_a_system() -> None:
    owners = reference_owners(landscape())
    assert owners == {
        "cost-centre": (ERP,),
        "location": (AM,),
        "employee": (),
        "supplier": (ERP,),
        "asset-class": (ERP,),
        "gl-account": (ERP,),
    }
    named = reference_owners(estate({"owners": {"employee": "hris", "cost-centre": "hris"}}))
    assert (named["employee"], named["cost-centre"], named["supplier"]) == (("hris",), ("hris",), (ERP, "hris"))


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ({"owners": {"employee": "nobody"}}, "references.owners.employee: Value error, there is no system 'nobody'"),
        ({"owners": {"person": ERP}}, "references.owners.person"),
        ({"employee": "required"}, "name who owns employees under owners"),
        ({"cost_centre": "maybe"}, "references.cost_centre"),
    ],
)
def test_a_faulty_section_is_refused_with_its_place(tmp_path: Path, references: object, words: str) -> None:
    path = tmp_path / "landscape.yaml"
    plain = landscape().model_dump(mode="json", exclude={"references"})
    path.write_text(yaml.safe_dump({**plain, "references": references}, sort_keys=False), encoding="utf-8")
    with pytest.raises(Stop) as refused:
        load_landscape(path)
    assert words in str(refused.value)


def test_t40_of_an_employee_only_pseudonyms_pass() -> None:
    said = report(code="Ann Example", native_id="ann@acme.test", name="Ann Example", parent="Bob Boss", company="ACME")
    custodians = Custodians(KEY)
    concealed = custodians.conceal(said)
    assert isinstance(concealed, ReferenceReport)
    assert concealed.fields.code == custodians.opaque("Ann Example"), "as asset management's custodian of that name"
    assert concealed.fields.parent == custodians.opaque("Bob Boss")
    assert concealed.origin.native_id == custodians.opaque("ann@acme.test"), "it stands in the record's key"
    assert (concealed.fields.name, concealed.fields.company) == (None, "ACME")
    text = concealed.model_dump_json()
    assert not any(name in text for name in ("Ann", "ann@", "Bob"))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"code": "Ann Example"}, "fields.code"),
        ({"parent": "Bob Boss"}, "fields.parent"),
        ({"native_id": "ann@acme.test"}, "origin.native_id"),
    ],
)
def test_t40_without_a_key_an_employee_is_called_by_ids_only(fields: dict[str, str], place: str) -> None:
    with pytest.raises(Rejected) as refused:
        IDS_ONLY.conceal(report(**fields))
    assert refused.value.field == place
    assert not any(name in str(refused.value) for name in ("Ann", "Bob", "ann@"))
    named = IDS_ONLY.conceal(report(name="Ann Example"))
    assert isinstance(named, ReferenceReport)
    assert named.fields.name is None, "the name is left out, whatever the rest is called"


def test_other_families_keep_their_names() -> None:
    said = report("supplier", name="Bolts & Sons", native_id="a b")
    assert Custodians(KEY).conceal(said) == said


def test_of_two_records_that_hold_the_one_that_began_last_counts() -> None:
    def one(native_id: str, first: dt.date | None, hour: int) -> ReferenceRecord:
        fields = ReferenceFields(code="CC", name=native_id, status=ReferenceStatus.ACTIVE, valid_from=first)
        return ReferenceRecord(native_id=native_id, recorded_at=NOW.replace(hour=hour), fields=fields)

    records = (one("ever", None, 12), one("november", DAY, 1), one("again", DAY, 2))
    state = ReferenceState(reference_id="*|CC", version=1, origin_system=ERP, records=records)
    names = [found.name if (found := state.on(day)) else None for day in (DAY - dt.timedelta(days=1), DAY)]
    assert names == ["ever", "again"]
