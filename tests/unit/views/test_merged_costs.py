"""Costs of merged assets: what was accepted under the merged id is the survivor's, until the merge is undone."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import AM, ERP, Hub, asset, cost, decided, euros, links
from tests.unit.views.test_costs import accepted, posted, registered

from tieline.kernel.asset_records import AssetMergeEvent
from tieline.kernel.records import Outbound, Typed
from tieline.views.batch import Batch
from tieline.views.costs import AssetCost, Costs, asset_entry, cost_entry, merge_entry


def view(written: Iterable[Outbound]) -> Costs:
    """What the views make of everything the hub has published."""
    batch = Batch()
    for out in written:
        if ".event." in out.topic and isinstance(out.value, Typed):
            batch.take(out.value.body, name=out.value.name)
    return batch.figures().costs


def of(costs: Costs, asset_id: str) -> AssetCost:
    found = costs.of(asset_id)
    assert found is not None
    return found


def one_thing_twice() -> tuple[Hub, str, str]:
    """The ERP's record, and asset management's of the same thing, on which work was done."""
    hub = Hub()
    hub.say(
        asset(ERP, "5", asset_number="FA5", acquisition_cost=euros("1200.00")),
        asset(AM, "1", tag="T1", acquisition_cost=euros("1200.00")),
        cost("WO1", "1", "80.00", "20.50"),
    )
    return hub, links(hub)["tryton/asset/5"], links(hub)["unio24/asset/1"]


def test_costs_accepted_before_a_merge_are_the_survivors() -> None:
    hub, survivor, merged = one_thing_twice()
    assert of(view(hub.written), survivor).maintenance == {}
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(cost("WO2", "1", "10.00"))
    costs = view(hub.written)
    found = of(costs, survivor)
    assert (found.merged, found.documents, found.maintenance) == ((merged,), 2, {"EUR": Decimal("110.50")})
    assert of(costs, merged) == found, "asked by its former id it is the same asset"
    assert [row.asset_id for row in costs.page(after="", limit=9)[0]] == [survivor]
    # It was bought once: the price is not in the sum a second time.
    assert costs.totals()["total_cost_of_ownership"] == {"EUR": Decimal("1310.50")}
    assert found.total_cost_of_ownership == {"EUR": Decimal("1310.50")}


def test_t39_an_undone_merge_gives_the_costs_back() -> None:
    hub, survivor, merged = one_thing_twice()
    before = {one: of(view(hub.written), one) for one in (survivor, merged)}
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    costs = view(hub.written)
    assert {one: of(costs, one) for one in (survivor, merged)} == before


def merge(merged: str, survivor: str, version: int) -> AssetMergeEvent:
    return AssetMergeEvent(
        asset_id=merged, accepted=accepted(version), survivor_id=survivor, by="ann", reason="looked at both"
    )


def test_merges_of_merges_end_at_the_last_survivor() -> None:
    costs = Costs()
    costs.put_document("d1", cost_entry(posted("10")))
    for merged, survivor in (("a1", "b1"), ("b1", "c1")):
        costs.put_asset(merged, merge_entry(merge(merged, survivor, 2), None, merged=True))
    assert of(costs, "c1").merged == ("a1", "b1")
    assert of(costs, "c1").maintenance == {"EUR": Decimal(10)}


def test_an_older_word_on_an_asset_does_not_undo_its_merge() -> None:
    event = merge("a1", "b1", 3)
    entry = merge_entry(event, asset_entry(registered(2, "100"), None), merged=True)
    assert asset_entry(registered(2, "90"), entry) == entry
    assert asset_entry(registered(4, "90"), entry)["merged_into"] == "b1", "only the undoing ends it"
    assert merge_entry(event.model_copy(update={"accepted": accepted(1)}), entry, merged=False) == entry


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=6))
def test_what_two_partitions_say_for_a_moment_ends_no_process(pairs: list[tuple[str, str]]) -> None:
    """Changelogs are read side by side: two assets may seem to be merged into each other until the next record."""
    costs = Costs()
    for version, (merged, survivor) in enumerate(pairs, 2):
        costs.put_asset(merged, merge_entry(merge(merged, survivor, version), None, merged=True))
    for asset_id in "abc":
        costs.of(asset_id)
    costs.page(after="", limit=9)
    costs.totals()
