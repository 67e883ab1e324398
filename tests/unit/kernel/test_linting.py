from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from tieline.kernel import memory, model
from tieline.kernel.declarations import Declared, Tree, declared, read_tree
from tieline.kernel.linting import Mirror, Rule, avro_type, compare_trees, kernel_mirrors, lint

BROKEN = Path(__file__).parents[2] / "declarations" / "broken"
CASES = sorted(path.name for path in BROKEN.iterdir())
# The classes the mirror rule compares in its own fixtures; the other fixtures leave that rule out.
MIRRORS: Mapping[str, Mapping[str, Mirror]] = {
    "model-mirror.no-schema": {"Money": model.Money, "Stage": memory.Stage},
    "model-mirror.symbols": {"CostLine": model.CostLine, "CostKind": model.CostKind},
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
    mirrors = MIRRORS.get(case, {"Money": model.Money}) if rule == "model-mirror" else None

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
    assert mirrors["AssetMoved"] is model.AssetEvent, "one class serves five events"
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
