from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from tieline.kernel import asset_records, memory, vocabulary
from tieline.kernel.declarations import Declared, Tree, declared, read_tree
from tieline.kernel.findings import Rule
from tieline.kernel.linting import Mirror, avro_type, compare_trees, kernel_mirrors, lint

BROKEN = Path(__file__).parents[2] / "declarations" / "broken"
CASES = sorted(path.name for path in BROKEN.iterdir())
# The classes the mirror rule compares in its own fixtures; the other fixtures leave that rule out.
MIRRORS: Mapping[str, Mapping[str, Mirror]] = {
    "model-mirror.no-schema": {"Money": vocabulary.Money, "Stage": memory.Stage},
    "model-mirror.symbols": {"XRef": memory.XRef, "LinkStatus": memory.LinkStatus},
}


def _tree(folder: Path) -> Tree:
    return read_tree(Declared(folder / "topics", folder / "schemas" / "avro"))


def _rules() -> set[str]:
    return {name for part in get_args(Rule) for name in (get_args(part) or (part,))}


def test_every_rule_has_a_broken_fixture() -> None:
    assert {case.partition(".")[0] for case in CASES} == _rules()


@pytest.mark.parametrize("case", CASES)
def test_a_broken_fixture_breaks_its_rule_once_and_no_other(case: str) -> None:
    rule = case.partition(".")[0]
    tree = _tree(BROKEN / case)
    mirrors = MIRRORS.get(case, {"Money": vocabulary.Money}) if rule == "model-mirror" else None

    findings = lint(tree, mirrors)
    if (BROKEN / case / "previous").is_dir():
        assert not findings, "the newer version by itself is in order"
        findings = compare_trees(_tree(BROKEN / case / "previous"), tree)

    assert [finding.rule for finding in findings] == [rule]
    assert all(finding.place and finding.message for finding in findings)


def test_what_we_ship_is_in_order() -> None:
    tree = read_tree(declared())
    assert len(tree.topics) > 20
    assert lint(tree, kernel_mirrors(tree.schemas)) == ()


def test_every_class_of_the_kernel_needs_a_schema() -> None:
    tree = read_tree(declared())
    mirrors = kernel_mirrors(tree.schemas)
    assert mirrors["AssetMoved"] is asset_records.AssetEvent, "one class serves five events"
    assert "AssetEvent" not in mirrors
    without = Tree((), {name: schema for name, schema in tree.schemas.items() if name != "Drift"})
    places = {f.place for f in lint(without, kernel_mirrors(without.schemas)) if f.rule == "model-mirror"}
    assert places == {"Drift"}


def test_a_faulty_topic_file_does_not_make_its_records_orphans() -> None:
    tree = _tree(BROKEN / "topic-file.not-yaml")
    assert lint(Tree((), tree.schemas, tree.topic_faults))[0].rule == "topic-file"
    assert [f.rule for f in lint(Tree((), tree.schemas))] == ["orphan-schema"]


def test_an_enum_may_grow_and_a_field_may_come() -> None:
    # A reader that does not know the new symbol reads UNKNOWN and holds the record (trap of the domain).
    wider = _tree(BROKEN / "enum-symbol.removed" / "previous")
    narrower = _tree(BROKEN / "enum-symbol.removed")
    assert compare_trees(narrower, wider) == ()


def test_an_annotation_without_avro_type_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        avro_type(float)


def test_an_amount_may_take_its_currency_from_every_record_that_holds_it() -> None:
    tree = _tree(BROKEN / "currency.one-holder-without")
    (found,) = lint(tree)
    assert (found.rule, found.place) == ("currency", "Line.amount")
    without_other = {name: schema for name, schema in tree.schemas.items() if name != "Other"}
    assert [f.rule for f in lint(Tree(tree.topics, without_other))] == ["unknown-record"], "only Thing holds it now"


def test_the_hubs_own_events_have_no_business_date() -> None:
    tree = read_tree(declared())
    runs = next(topic for topic in tree.topics if topic.name == "recon.run.event.v1")
    assert "effective_date" not in {field["name"] for field in tree.schemas["RunFinished"]["fields"]}
    assert [f for f in lint(Tree((runs,), tree.schemas)) if f.rule == "event-times"] == []


def test_the_four_decimals_of_the_model_are_the_four_that_lint_allows() -> None:
    # Amounts, unit prices, quantities and exchange rates, as the model's annotations give them to a schema.
    found = [
        avro_type(hint) for hint in (vocabulary.Amount, vocabulary.UnitPrice, vocabulary.Quantity, vocabulary.FxRate)
    ]
    assert [(one["precision"], one["scale"]) for one in found] == [(20, 4), (20, 6), (18, 6), (18, 9)]
    for one in found:
        field = {"name": "extra", "type": one, "doc": "More."}
        currency = {"name": "currency", "type": "string", "doc": "ISO 4217 code."}
        thing = {"type": "record", "name": "Thing", "namespace": "tieline", "doc": "A.", "fields": [field, currency]}
        assert [f.rule for f in lint(Tree((), {"Thing": thing}))] == ["orphan-schema"]
