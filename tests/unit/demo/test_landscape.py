"""The demo's landscape is complete, and an incomplete one is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tieline.checking import check_landscape
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.capturing import mapping_processor
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import load_landscape
from tieline.kernel.landscape_schema import schema_text
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.vocabulary import Model
from tieline.wiring import open_hub


def spoil(path: Path, old: str, new: str) -> int:
    """Replace a text that stands there once; the number of its line."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_the_demos_landscape_is_complete(demo: Path) -> None:
    assert check_landscape(demo) == []


def test_every_object_flows_as_the_demo_says(demo: Path) -> None:
    assert {flow.name for flow in load_landscape(demo).flows} == {
        "asset:unio24>tryton",
        "asset:tryton>unio24",
        "book:tryton>unio24",
        "purchase-order:tryton>unio24",
        "cost-document:unio24>tryton",
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("database: tieline", "databse: tieline", "database: Field required"),
        ("product: VEHICLE", "product: MACHINE", "product MACHINE stands for two classes"),
        ("webhook_port: 8124", "webhook_port: 99999", "webhook_port: Input should be less than or equal to 65535"),
        ("secrets/unio24-token", "secrets/other", "secret file"),
        ("unio24.profile.yaml", "nowhere.yaml", "nowhere.yaml does not exist"),
        ("connector: unio24", "connector: sap", "there is no connector 'sap'"),
        ("replication_factor: 1 ", "replication_factor: 0 ", "greater than or equal to 1"),
    ],
)
def test_what_is_missing_or_wrong_is_refused_with_its_reason(demo: Path, old: str, new: str, reason: str) -> None:
    spoil(demo, old, new)
    (fault,) = check_landscape(demo)
    assert reason in fault
    assert fault.startswith(f"{demo}:")


def test_the_line_is_that_of_the_setting(demo: Path) -> None:
    line = spoil(demo, "webhook_port: 8124", "webhook_port: 99999")
    (fault,) = check_landscape(demo)
    assert fault.startswith(f"{demo}:{line}: ")


def test_faults_of_several_systems_are_told_together(demo: Path) -> None:
    spoil(demo, "database: tieline", "databse: tieline")
    spoil(demo, "webhook_port: 8124", "webhook_port: 99999")
    assert len(check_landscape(demo)) == 2


CLASSES = """
code_lists:
  asset-class:
    unio24:
      - {code: LAPTOP, means: COMPUTER}
"""


def test_a_record_with_an_unmapped_code_waits_until_the_landscape_has_it(demo: Path) -> None:
    held = b'{"id": 1, "version": 1, "updated_at": "2026-08-01T00:00:00Z", "name": "n", "category": "PHONE"}'
    raw = Inbound("src.unio24.raw.v1", 0, 0, b"unio24/1", held, (("tl_stream", b"assets"), ("tl_native_id", b"1")))

    def mapped() -> list[Outbound]:
        connector = open_hub(demo).connect("unio24")
        return list(mapping_processor("unio24", connector).handle(raw, Typed("Raw", Model())))

    text = demo.read_text(encoding="utf-8")
    demo.write_text(text + CLASSES, encoding="utf-8")
    with pytest.raises(Rejected, match=r"add it to code_lists.asset-class.unio24 in the landscape"):
        mapped()  # the loop buries it: it waits as a dead letter of source-unio24
    gained = "      - {code: PHONE, means: COMPUTER, preferred: true}\n"
    demo.write_text(text + CLASSES + gained, encoding="utf-8")
    [report] = mapped()  # replayed after a start with the landscape that has it
    assert isinstance(report.value, Typed)
    assert isinstance(report.value.body, AssetReport)
    assert report.value.body.fields.asset_class == "COMPUTER"


def test_no_secret_is_ever_shown(demo: Path) -> None:
    token = (demo.parents[2] / ".tieline" / "secrets" / "unio24-token").read_text(encoding="utf-8").strip()
    spoil(demo, "webhook_port: 8124", "webhook_port: 99999")
    assert token not in "".join(check_landscape(demo))


def test_the_schema_is_json_and_explains_every_key_of_a_flow() -> None:
    flow = json.loads(schema_text())["$defs"]["Flow"]
    assert set(flow["required"]) >= {"interval_mins", "latency_target_secs", "owner", "on_error", "mode"}
    assert all(key.get("description") for name, key in flow["properties"].items() if "$ref" not in key), flow
