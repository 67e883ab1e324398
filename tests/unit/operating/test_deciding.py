"""What waits for a person's word on identity, and which words can be given."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.errors import Stop
from tieline.kernel.memory import HeldReport, LinkAction, LinkStatus, XRef
from tieline.operating.deciding import cases_json, decide_pair, decide_record, find_rows, list_cases, to_record

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
SIGNED: dict[str, Any] = {"by": "ann", "reason": " seen both ", "at": NOW}


def xref(native_id: str, canonical_id: str, status: LinkStatus, minutes: int = 0, **more: Any) -> XRef:
    values: dict[str, Any] = {"system": "am", "entity": "asset", "native_id": native_id, "rule": "serial"}
    values |= {"canonical_id": canonical_id, "status": status, "match_keys": ()}
    return XRef(**values, linked_at=NOW + dt.timedelta(minutes=minutes), **more)


def hold(waits_for: str, reason: str = "same serial") -> HeldReport:
    return HeldReport(
        waits_for=waits_for, reason=reason, topic="t", partition=0, offset=0, key="k", value=b"", since=NOW
    )


ROWS = {
    "am/asset/1": xref("1", "A", LinkStatus.LINKED),
    "am/asset/2": xref("2", "A", LinkStatus.PROPOSED, 5),
    "am/asset/3": xref("3", "A", LinkStatus.PROPOSED, 1),
    "am/asset/4": xref("4", "A", LinkStatus.MERGED_INTO, merged_from=("B",)),
}


def test_proposals_stand_oldest_first_with_what_waits_behind_them() -> None:
    held = {"am/asset/2": hold("person"), "am/cost-document/W": hold("am/asset/2")}
    cases = list_cases(ROWS, held)
    assert [(c.mapping, c.reason, c.waiting) for c in cases] == [
        ("am/asset/3", None, 0),
        ("am/asset/2", "same serial", 1),
    ]
    assert next(c.mapping for c in list_cases(ROWS, held, everything=True)) == "am/asset/4"
    assert [one["mapping"] for one in json.loads(cases_json(cases))] == ["am/asset/3", "am/asset/2"]


def test_a_thing_is_found_by_its_record_its_id_and_the_id_it_had_before_a_merge() -> None:
    assert set(find_rows(ROWS, "am/asset/1")) == {"am/asset/1"}
    assert set(find_rows(ROWS, "A")) == set(ROWS)
    assert set(find_rows(ROWS, "B")) == {"am/asset/4"}
    with pytest.raises(Stop, match="nothing is linked"):
        find_rows(ROWS, "C")


def test_a_decision_says_who_when_and_why() -> None:
    decision = decide_record(LinkAction.CONFIRM, "am/asset/2", ROWS["am/asset/2"], canonical_id=None, **SIGNED)
    assert (decision.canonical_id, decision.by, decision.reason, decision.at) == ("A", "ann", "seen both", NOW)
    assert (to_record(decision).topic, to_record(decision).key) == ("hub.link-decision.report.v1", "am/asset/2")


@pytest.mark.parametrize(("mapping", "why"), [("am/asset/1", "is linked, not proposed"), ("am/asset/9", "no record")])
def test_only_a_proposal_is_decided(mapping: str, why: str) -> None:
    with pytest.raises(Stop, match=why):
        decide_record(LinkAction.REJECT, mapping, ROWS.get(mapping), canonical_id=None, **SIGNED)


def test_a_decision_needs_a_reason() -> None:
    with pytest.raises(Stop, match="needs a reason"):
        decide_pair(LinkAction.MERGE, "A", "C", ROWS.values(), by="ann", reason="  ", at=NOW)


@pytest.mark.parametrize(
    ("action", "other", "why"),
    [
        (LinkAction.MERGE, "A", "two different"),
        (LinkAction.MERGE, "B", "already"),
        (LinkAction.UNMERGE, "C", "is not merged"),
    ],
)
def test_a_pair_is_merged_once_and_separated_once(action: LinkAction, other: str, why: str) -> None:
    with pytest.raises(Stop, match=why):
        decide_pair(action, "A", other, ROWS.values(), **SIGNED)
    undone = decide_pair(LinkAction.UNMERGE, "A", "B", ROWS.values(), **SIGNED)
    assert (undone.canonical_id, undone.other_id) == ("A", "B")


@pytest.mark.parametrize("command", ["confirm 1", "reject 1", "merge 1 2", "unmerge 1 2"])
def test_the_commands_ask_for_a_reason(command: str) -> None:
    found = CliRunner().invoke(app, ["links", *command.split()], env={"TERM": "dumb", "NO_COLOR": "1"})
    assert found.exit_code == 2
    assert "--reason" in found.output
