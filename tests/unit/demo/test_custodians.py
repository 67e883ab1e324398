"""From a record with a name in it to every topic behind the raw one: the name is in none of them (T40)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.processors.bench import NOW, Hub, encode
from tests.unit.processors.bench import asset as asset_of

from tieline.checking import check_landscape
from tieline.kernel.asset_records import AssetReport, AssetState
from tieline.kernel.capturing import mapping_processor
from tieline.kernel.dead_letters import bury
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import load_landscape
from tieline.kernel.observing import observe_report
from tieline.kernel.privacy import IDS_ONLY, Custodians, custodians_of, map_opaquely
from tieline.kernel.protocols import RawItem
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.vocabulary import Model
from tieline.wiring import open_hub

NAME = "Ann Example"
SECTION = "\nprivacy:\n  custodian_key: {secret: env:CUSTODIAN_KEY}\n"


def raw(number: int, custodian: str = NAME, **changes: object) -> Inbound:
    """An asset of asset management as it was captured."""
    body = {"id": number, "version": 1, "updated_at": "2026-08-01T00:00:00Z", "name": "Saw", "custodian": custodian}
    headers = (("tl_stream", b"assets"), ("tl_native_id", str(number).encode()))
    payload = json.dumps(body | changes).encode()
    return Inbound("src.unio24.raw.v1", 0, number, f"unio24/{number}".encode(), payload, headers)


def reports(path: Path, custodians: Custodians, *records: Inbound) -> list[AssetReport]:
    processor = mapping_processor("unio24", open_hub(path).connect("unio24"), custodians)
    written = [out for record in records for out in processor.handle(record, Typed("Raw", Model()))]
    return [
        out.value.body for out in written if isinstance(out.value, Typed) and isinstance(out.value.body, AssetReport)
    ]


def everything(written: list[Outbound]) -> str:
    parts: list[str] = []
    for out in written:
        value = encode(out.value) if isinstance(out.value, Typed) else out.value or b""
        parts += [str(out.key), str(dict(out.headers)), value.decode(errors="replace")]
    return "\n".join(parts)


def test_t40_no_name_in_any_record_of_any_topic_but_raw(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.write_text(demo.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    monkeypatch.setenv("CUSTODIAN_KEY", "s" * 40)
    estate = load_landscape(demo)
    custodians = custodians_of(estate, demo.parent)
    told = reports(demo, custodians, raw(1, serial="S1"), raw(1, "Bo Example", serial="S1", version=2))
    hub = Hub(estate)
    hub.say(asset_of("tryton", "5", serial_number="S1"), *told)
    item = RawItem("assets", "1", raw(1).value or b"")
    connector = open_hub(demo).connect("unio24")
    observed = [observe_report("r1", report) for report in map_opaquely(connector, item, custodians)]
    text = everything([*hub.written, *(Outbound("observed", "k", Typed("Observed", one)) for one in observed)])
    assert {out.topic for out in hub.written} >= {
        "asset.asset.event.v1",
        "asset.asset.state.v1",
        "sink.tryton.command.v1",
    }
    assert "Example" not in text
    [state] = [row for row in hub.rows(AssetState).values() if row.fields.custodian]
    assert state.fields.custodian == custodians.opaque("Bo Example")


def test_t40_without_a_key_a_name_is_a_dead_letter_of_its_source_with_the_remedy(demo: Path) -> None:
    with pytest.raises(Rejected) as refused:
        reports(demo, IDS_ONLY, raw(1))
    letter = bury("source-unio24", raw(1), refused.value, NOW)
    assert NAME not in str(dict(letter.headers))
    assert "privacy.custodian_key" in str(letter.headers["tl_remedy"])
    [report] = reports(demo, IDS_ONLY, raw(1, "E-1001"))
    assert report.fields.custodian == "E-1001"


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "CUSTODIAN_KEY is not set"), ("short", "fewer than 32 characters")]
)
def test_t40_a_key_that_is_none_is_a_fault_of_the_landscape(
    demo: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, reason: str
) -> None:
    demo.write_text(demo.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    monkeypatch.delenv("CUSTODIAN_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("CUSTODIAN_KEY", value)
    [fault] = check_landscape(demo)
    line = demo.read_text(encoding="utf-8").splitlines().index("  custodian_key: {secret: env:CUSTODIAN_KEY}") + 1
    assert fault.startswith(f"{demo}:{line}: ")
    assert reason in fault
