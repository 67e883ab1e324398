"""What the life of an asset says of a conflict."""

from __future__ import annotations

import datetime as dt

from tieline.kernel.memory import Conflict, LinkStatus, XRef
from tieline.operating.life import own_ids, tell_finding

FOREIGN = Conflict(
    canonical_id="a1",
    field="cost_centre",
    owner="tryton",
    system="unio24",
    owned_value="CC1",
    foreign_value="CC2",
    detected_at=dt.datetime(2026, 11, 10, tzinfo=dt.UTC),
)


def linked(canonical_id: str, *merged_from: str) -> XRef:
    return XRef(
        system="unio24",
        entity="asset",
        native_id=canonical_id,
        canonical_id=canonical_id,
        status=LinkStatus.LINKED,
        rule="minted",
        match_keys=(),
        linked_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        merged_from=merged_from,
    )


def test_the_costs_of_what_was_merged_into_an_asset_are_its_own_and_not_the_other_way_round() -> None:
    links = [linked("a1", "b1", "c1"), linked("a1")]
    assert own_ids("a1", links) == {"a1", "b1", "c1"}
    assert own_ids("b1", links) == {"b1"}, "the survivor's costs are not those of what was merged into it"


def test_a_foreign_edit_names_both_values() -> None:
    assert tell_finding(FOREIGN) == "cost_centre: says 'CC2', tryton owns it and says 'CC1'"


def test_a_refused_value_comes_with_its_reason_and_remedy() -> None:
    refused = FOREIGN.model_copy(update={"reason": "CC2 is closed", "remedy": "name another one"})
    assert tell_finding(refused).endswith("says 'CC1': CC2 is closed (name another one)")
