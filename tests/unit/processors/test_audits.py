"""Physical audits: what was seen, not found, or found without a record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from tests.unit.processors.bench import AM, ERP, Hub, asset, held, origin

from tieline.kernel.audit_records import AuditEvent, AuditFields, AuditReport, AuditState
from tieline.kernel.errors import Rejected
from tieline.kernel.privacy import Custodians
from tieline.kernel.records import Outbound, Typed

DAY = dt.date(2026, 11, 3)


def audit(native_id: str = "A1", asset_native_id: str | None = "9", *, system: str = AM, **changes: Any) -> AuditReport:
    values = {"asset_native_id": asset_native_id, "result": "VERIFIED", "audited_on": DAY, "audited_by": "e17"}
    fields = AuditFields.model_validate(values | changes, strict=False)
    return AuditReport(origin=origin(system, "audit", native_id), fields=fields)


def events(written: list[Outbound]) -> list[tuple[str, str, AuditEvent]]:
    """Key, name and body of the audit events."""
    found = [(out.key, out.value) for out in written if out.topic == "asset.audit.event.v1"]
    return [(str(k), v.name, v.body) for k, v in found if isinstance(v, Typed) and isinstance(v.body, AuditEvent)]


@pytest.mark.parametrize(("result", "name"), [("VERIFIED", "AssetVerified"), ("NOT_FOUND", "AssetNotFound")])
def test_what_an_audit_says_of_an_asset_is_an_event_of_the_asset(result: str, name: str) -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1"))
    asset_id = hub.the_asset().asset_id
    [(key, found, event)] = events(hub.say(audit(result=result, location="L2")))
    assert (key, found, event.asset_id) == (asset_id, name, asset_id)
    assert (event.accepted.effective_date, event.fields.location) == (DAY, "L2")
    assert list(hub.rows(AuditState)) == [f"{asset_id}|{AM}/A1"]
    assert hub.the_asset().fields.location == "L1", "where a thing is, its own record says"


def test_a_thing_without_a_record_has_a_key_of_its_own() -> None:
    hub = Hub()
    [(key, name, event)] = events(hub.say(audit(asset_native_id=None, result="UNREGISTERED", label="T-99")))
    assert (key, name) == (f"{AM}/audit/A1", "AssetFoundUnregistered")
    assert (event.asset_id, event.fields.label) == (None, "T-99")


def test_an_audit_waits_for_the_asset_it_names() -> None:
    hub = Hub()
    assert events(hub.say(audit())) == []
    assert held(hub) == {f"{AM}/audit/A1": f"{AM}/asset/9"}
    assert [name for _, name, _ in events(hub.say(asset(AM, "9", location="L1")))] == ["AssetVerified"]
    assert held(hub) == {}


def test_the_same_audit_again_is_nothing_and_a_changed_one_is_refused() -> None:
    hub = Hub()
    hub.say(asset(AM, "9"), audit())
    assert events(hub.say(audit())) == []
    assert events(hub.say(audit(result="NOT_FOUND"))) == []
    assert [(rejection.field, "changed" in str(rejection)) for rejection in hub.dead] == [("fields", True)]
    assert [name for _, name, _ in events(hub.say(audit("A2", result="NOT_FOUND")))] == ["AssetNotFound"]


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (audit(system=ERP, asset_native_id="5"), "origin.system"),
        (audit(result="UNKNOWN"), "fields.result"),
        (audit(result="UNREGISTERED"), "fields.asset_native_id"),
        (audit(asset_native_id=None), "fields.asset_native_id"),
    ],
)
def test_what_no_audit_says_is_refused(report: AuditReport, field: str) -> None:
    hub = Hub()
    hub.say(asset(AM, "9"), asset(ERP, "5"))
    assert events(hub.say(report)) == []
    assert [rejection.field for rejection in hub.dead] == [field]
    assert hub.rows(AuditState) == {}


def test_an_audits_entity_is_checked() -> None:
    hub = Hub()
    wrong = audit().model_copy(update={"origin": origin(AM, "asset", "A1")})
    hub.say(asset(AM, "9"), wrong)
    assert [rejection.field for rejection in hub.dead] == ["origin.entity"]


def test_the_auditor_is_never_named() -> None:
    secret = Custodians("k" * 32)
    concealed = secret.conceal(audit(audited_by="Ann Meyer"))
    assert isinstance(concealed, AuditReport)
    assert (concealed.fields.audited_by or "").startswith("p-")
    with pytest.raises(Rejected) as caught:
        Custodians().conceal(audit(audited_by="Ann Meyer"))
    assert (caught.value.field, "Meyer" in str(caught.value)) == ("fields.audited_by", False)
