"""Ids, and the keys by which records are recognised."""

from __future__ import annotations

import uuid

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, asset

from tieline.kernel.records import Inbound
from tieline.processors.identity import match_keys, mint_id, places, rule_of, wanted

NOW_MS = int(NOW.timestamp() * 1000)


def at(offset: int, *, timestamp_ms: int = NOW_MS, partition: int = 0) -> Inbound:
    return Inbound("asset.asset.report.v1", partition, offset, b"erp/7", b"", (), timestamp_ms)


def test_a_minted_id_is_a_uuid_version_8_with_the_time_of_its_record() -> None:
    minted = uuid.UUID(mint_id(at(5)))
    assert (minted.version, minted.variant) == (8, uuid.RFC_4122)
    assert minted.int >> 80 == NOW_MS
    assert uuid.UUID(mint_id(at(5, timestamp_ms=-1))).int >> 80 == 0


def test_ids_of_later_records_sort_later() -> None:
    assert all(mint_id(at(n)) < mint_id(at(n, timestamp_ms=NOW_MS + 1)) for n in range(50))


def test_a_record_mints_the_same_id_whenever_it_is_handled_and_every_other_another() -> None:
    ids = [mint_id(at(offset, partition=partition)) for offset in range(100) for partition in range(3)]
    assert len(set(ids)) == 300
    assert ids == [mint_id(at(offset, partition=partition)) for offset in range(100) for partition in range(3)]


def test_keys_come_surest_first() -> None:
    report = asset(
        ERP, "1", tag=" T1 ", serial_number=" Ab 1 2", asset_number="FA1", company="ACME", po_line_ref="p/1/1"
    )
    assert match_keys(report) == ("asset-number/ACME/FA1", "tag/T1", "po-line/p/1/1", "serial/ab12")


@pytest.mark.parametrize("serial", ["", "   ", "N/A", "n / a", "unknown", "-", "0"])
def test_a_serial_number_that_says_nothing_is_no_key(serial: str) -> None:
    assert match_keys(asset(AM, "1", serial_number=serial, tag=" ", asset_number="", po_line_ref="  ")) == ()


def test_rules_are_named_as_in_the_cross_reference() -> None:
    keys = ("asset-number/*/1", "tag/1", "po-line/1", "serial/1")
    assert [rule_of(key).rule for key in keys] == ["peer-number", "peer-number", "po-line", "serial"]


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        (("ACME", "1"), ("ACME", "1"), True),
        (("ACME", "1"), (None, "1"), True),
        ((None, "1"), ("ACME", "1"), True),
        ((None, "1"), (None, "1"), True),
        (("ACME", "1"), ("OTHER", "1"), False),
        (("ACME", "1"), (None, "2"), False),
        (("*", "1"), ("ACME", "1"), False),
        (("A/B", "1"), ("A", "B/1"), False),
    ],
)
def test_an_asset_number_counts_within_its_company(
    kept: tuple[str | None, str], asked: tuple[str | None, str], *, found: bool
) -> None:
    def key(pair: tuple[str | None, str]) -> str:
        [only] = match_keys(asset(ERP, "1", company=pair[0], asset_number=pair[1]))
        return only

    assert bool(set(places(key(kept))) & set(wanted(key(asked)))) is found
