"""Values inside texts: what the hub writes is what it reads, and a person's own lines stay as they are."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.connectors.tryton.comment import KEYS, read_values, write_values
from tieline.connectors.tryton.costs_text import (
    DocumentText,
    LineText,
    read_document,
    read_line,
    write_document,
    write_line,
)
from tieline.kernel.cost_records import CostKind

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)
OWN_LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n:"), max_size=30), max_size=5)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), OWN_LINES)
def test_values_written_are_read_and_own_lines_stay(values: dict[str, str], own: list[str]) -> None:
    text = write_values("\n".join(own), values)
    assert read_values(text) == {key: value.strip() for key, value in values.items() if value.strip()}
    assert write_values(text, values) == text
    if any(own):
        assert text.split("\n")[: len(own)] == own


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1), VALUES)
def test_a_second_write_changes_only_what_it_names(values: dict[str, str], location: str) -> None:
    text = write_values("Kim: call the supplier", values)
    after = read_values(write_values(text, {"location": location}))
    assert {**after, "location": ""} == {**read_values(text), "location": ""}
    assert after.get("location", "") == location.strip()


def test_a_persons_spelling_is_read_and_kept() -> None:
    text = "  Serial :  SN-7  \nNote: see tag: 12\nTAG:T-7\ntag: second\n\nphysical-status: in_service"
    assert read_values(text) == {"serial": "SN-7", "tag": "T-7", "physical-status": "in_service"}
    assert write_values(text, {"serial": "SN-7", "tag": "T-7"}) == text
    assert write_values(text, {"tag": "T-8"}).split("\n")[2:4] == ["tag: T-8", "tag: second"]


def test_removing_a_value_removes_every_line_of_its_key() -> None:
    assert write_values("tag: a\nkeep\nTag: b", {"tag": None}) == "keep"
    assert write_values("keep", {"tag": None}) == "keep"
    assert write_values(None, {"tag": ""}) == ""


def test_line_breaks_of_windows_are_line_breaks() -> None:
    assert read_values("tag: a\r\nserial: b\r\n") == {"tag": "a", "serial": "b"}


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="|"), min_size=1).map(
    lambda text: " ".join(text.split())
)


@given(WORDS.filter(bool), st.none() | WORDS.filter(bool), st.none() | WORDS.filter(bool), st.none() | st.dates())
def test_a_documents_text_is_read_as_written(
    ref: str, order: str | None, reversal: str | None, effective: dt.date | None
) -> None:
    document = DocumentText(hub_ref=ref, work_order=order, reversal_of=reversal, effective_date=effective)
    assert read_document(write_document(document)) == document


def test_an_effective_date_that_is_none_says_nothing() -> None:
    assert read_document("tieline: cd-1 | effective: last March").effective_date is None


def test_the_separator_inside_a_value_cannot_forge_a_reference() -> None:
    text = write_document(DocumentText(hub_ref="cd-1", work_order="x | tieline: cd-2"))
    assert read_document(text).hub_ref == "cd-1"
    assert read_document("work order: x | tieline: cd-2").hub_ref == "cd-2"


@pytest.mark.parametrize("quantity", [None, "2.5", "0.000001", "-3", "1000"])
def test_a_lines_text_is_read_as_written(quantity: str | None) -> None:
    line = LineText(CostKind.LABOUR, "Bearing: replace\nand oil", Decimal(quantity) if quantity else None)
    assert read_line(write_line(line)) == line


@pytest.mark.parametrize("text", ["Oil", "LABOURERS: two", "PART x many: fans", "LABOUR x NaN: z", None, ""])
def test_a_persons_line_is_other_and_whole(text: str | None) -> None:
    assert read_line(text) == LineText(CostKind.OTHER, text or "")
