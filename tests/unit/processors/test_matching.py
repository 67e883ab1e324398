"""The match rules as data: normal forms, order, what links and what only proposes."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, encode

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.matching import NormalForm, load_match_rules, normal_form, read_match_rules
from tieline.kernel.memory import LinkStatus, XRef
from tieline.kernel.records import Inbound, Typed
from tieline.processors.identify import Identify
from tieline.processors.links import Links, xref_key

LADDER = """
asset:
  - {kind: tag, rule: exact, field: tag, form: exact, between: systems, confidence_percent: 99, decide: link}
  - {kind: tag-case, rule: case-folded, field: tag, form: case-folded, between: systems, confidence_percent: 90,
     decide: link}
  - {kind: tag-zeros, rule: leading-zeros, field: tag, form: leading-zeros, between: systems, confidence_percent: 80,
     decide: link}
  - {kind: tag-number, rule: number-part, field: tag, form: number-part, between: systems, confidence_percent: 60,
     decide: propose}
"""


@pytest.mark.parametrize(
    ("form", "text", "normal"),
    [
        ("exact", " Ab 1 ", "Ab 1"),
        ("case-folded", " Ab 1 ", "ab 1"),
        ("squeezed", " Ab 1 ", "ab1"),
        ("leading-zeros", " FA-0042 / 007", "fa-42/7"),
        ("leading-zeros", "000000100017", "100017"),
        ("leading-zeros", "0000", "0"),
        ("leading-zeros", "straße 1", "strasse1"),
        ("leading-zeros", "", ""),
        ("number-part", "PUMP-000420-A", "420"),
        ("number-part", "7/0012", "12"),
        ("number-part", "000", "0"),
        ("number-part", "none", ""),
        ("exact", None, ""),
    ],
)
def test_a_normal_form_keeps_what_counts(form: str, text: str | None, normal: str) -> None:
    assert normal_form(text, NormalForm(form)) == normal


def test_t28_two_registers_with_reformatted_identifiers_match_by_rules_in_known_numbers() -> None:
    """Ten tags: four as they were, two in another case, one with zeros, two prefixed otherwise, one that is nowhere."""
    there = [f"PUMP-{n}" for n in range(10)]
    here = [*there[:4], *(tag.lower() for tag in there[4:6]), "pump-0006", "P00007", "P00008", "NEW-99"]
    identify = Identify(lambda: NOW, rules=read_match_rules(LADDER))

    def hear(report: AssetReport, offset: int) -> None:
        typed = Typed("AssetReport", report)
        list(identify.handle(Inbound("asset.asset.report.v1", 0, offset, b"k", encode(typed)), typed))

    for n, tag in enumerate(there):
        hear(asset(ERP, str(n), tag=tag), n)
    for n, tag in enumerate(here):
        hear(asset(AM, str(n), tag=tag), 100 + n)
    rows = {key: row for key, row in identify.links.table.items() if row.system == AM}
    assert Counter(row.rule for row in rows.values()) == {
        "exact": 4,
        "case-folded": 2,
        "leading-zeros": 1,
        "number-part": 2,
        "minted": 1,
    }
    proposed = {key for key, row in rows.items() if row.status is LinkStatus.PROPOSED}
    assert proposed == {"unio24/asset/7", "unio24/asset/8"}
    assert {row.confidence_percent for row in rows.values()} == {99, 90, 80, 60, 100}
    right = {f"unio24/asset/{n}": identify.links.of(ERP, "asset", str(n)) for n in range(9)}
    assert all(other is not None and rows[key].canonical_id == other.canonical_id for key, other in right.items())


def test_t28_a_padded_asset_number_is_recognised_and_goes_back_as_its_system_wrote_it() -> None:
    rules = read_match_rules("""
asset:
  - {kind: asset-number, rule: leading-zeros, field: asset_number, form: leading-zeros, between: systems,
     confidence_percent: 90, decide: link}
""")
    identify = Identify(lambda: NOW, rules=rules)
    for offset, report in enumerate(
        [asset(ERP, "SAP-1", asset_number="000000100017"), asset(AM, "7", asset_number="100017")]
    ):
        typed = Typed("AssetReport", report)
        heard = list(identify.handle(Inbound("asset.asset.report.v1", 0, offset, b"k", encode(typed)), typed))
        # The report goes on byte for byte: the hub compares in a normal form, and never writes one.
        assert encode(typed) in [out.value for out in heard]
    there, here = (identify.links.of(system, "asset", key) for system, key in ((ERP, "SAP-1"), (AM, "7")))
    assert there is not None
    assert here is not None
    assert (here.canonical_id, here.rule) == (there.canonical_id, "leading-zeros")


def test_a_link_says_how_sure_its_rule_is_and_since_when_it_holds() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S1"), asset(ERP, "5", serial_number="s 1"))
    row = hub.rows(XRef)["tryton/asset/5"]
    assert (row.rule, row.confidence_percent, row.valid_from, row.valid_to) == ("serial", 90, NOW.date(), None)


def test_the_shipped_rules_stand_surest_key_first() -> None:
    assert [rule.kind for rule in load_match_rules()] == ["asset-number", "tag", "po-line", "serial"]


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("field: tag, form: exact", "field: colour, form: exact", "no asset field 'colour'"),
        ("form: exact", "form: soundex", "exact"),
        ("kind: tag-case", "kind: tag", "stands twice"),
        ("decide: propose", "decide: guess", "propose"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_reason(was: str, becomes: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_match_rules(LADDER.replace(was, becomes))


def test_a_number_that_every_record_carries_is_not_looked_up_in_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links()
    asked: list[str] = []
    for number in range(500):
        row = XRef(
            system="am",
            entity="asset",
            native_id=str(number),
            canonical_id=f"c{number}",
            status=LinkStatus.LINKED,
            rule="minted",
            match_keys=("tag/s",),
            linked_at=NOW,
        )
        links.table.put(xref_key("am", "asset", row.native_id), row)
    get = links.table.get

    def note(key: str) -> XRef | None:
        asked.append(key)
        return get(key)

    monkeypatch.setattr(links.table, "get", note)
    assert links.having("tag/s", "erp") == set()
    assert len(asked) == 2
