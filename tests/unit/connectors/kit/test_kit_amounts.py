"""T26: amounts from text are exact by the declared convention, or refused; looks are no evidence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.connectors.kit.amounts import (
    CONTINENTAL,
    ENGLISH,
    FRENCH,
    PLAIN,
    SWISS,
    NumberFormat,
    from_float_artefact,
    parse_amount,
)
from tieline.kernel.errors import Rejected

FORMS = (PLAIN, ENGLISH, CONTINENTAL, FRENCH, SWISS)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("1,234.50", ENGLISH, "1234.50"),
        ("$1,234.50", ENGLISH, "1234.50"),
        ("-$1,234.50", ENGLISH, "-1234.50"),
        ("($45.00)", ENGLISH, "-45.00"),
        ("1,234", ENGLISH, "1234"),
        ("1.234", ENGLISH, "1.234"),
        (".97", ENGLISH, "0.97"),
        ("-.97", ENGLISH, "-0.97"),
        ("13.5", ENGLISH, "13.5"),
        ("1.234,50", CONTINENTAL, "1234.50"),
        ("1.234", CONTINENTAL, "1234"),
        ("12.345.678,9", CONTINENTAL, "12345678.9"),
        ("1\u00a0234,50", FRENCH, "1234.50"),
        ("1\u202f234,50", FRENCH, "1234.50"),
        ("1'234.50", SWISS, "1234.50"),
        ("(45.00)", PLAIN, "-45.00"),
        ("( 45.00 )", PLAIN, "-45.00"),
        ("45.00-", PLAIN, "-45.00"),
        ("\u221245.00", PLAIN, "-45.00"),
        (" 45.00 ", PLAIN, "45.00"),
        ("45.00 $", PLAIN, "45.00"),
        ("0", PLAIN, "0"),
        # No declared convention, and yet only one reading:
        ("45", None, "45"),
        ("45.50", None, "45.50"),
        ("45,5", None, "45.5"),
        ("1,234.50", None, "1234.50"),
        ("1.234,50", None, "1234.50"),
        ("1.234.567,8", None, "1234567.8"),
        ("1.234.567", None, "1234567"),
        ("1,234,567", None, "1234567"),
        ("0.1234", None, "0.1234"),
    ],
)
def test_t26_an_amount_is_exact(text: str, form: NumberFormat | None, expected: str) -> None:
    found = parse_amount(text, form, field="cost", currency="USD")
    assert found == Decimal(expected)
    assert str(found) == expected


@pytest.mark.parametrize("text", ["1.234", "1,234", "12.345", "0.125", "(1.234)"])
def test_t26_what_can_be_read_in_two_ways_is_refused_without_a_convention(text: str) -> None:
    with pytest.raises(Rejected, match="can be read in two ways") as caught:
        parse_amount(text, None, field="cost")
    assert caught.value.field == "cost"
    assert "declare the source's number format" in str(caught.value.remedy)


@pytest.mark.parametrize("form", [*FORMS, None])
@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "-", "()", ".", ",", "NaN", "-NaN", "sNaN", "Infinity", "-inf", "1e5", "1E+3", "0x10", "1_000"),
        *(
            "٣",
            "\uff11\uff12",
            "1..2",
            "1,,2",
            "--1",
            "-1-",
            "(-1)",
            "((1))",
            "(1",
            "1)",
            "+1",
            "1.2.3",
            "5 EUR",
            "5\n6",
        ),
        *("1" * 61, "=1+1"),
    ],
)
def test_t26_anything_else_is_quarantined_with_its_field(text: str, form: NumberFormat | None) -> None:
    with pytest.raises(Rejected) as caught:
        parse_amount(text, form, field="cost", currency="EUR")
    assert caught.value.field == "cost"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.234,50", ENGLISH),
        ("1,234.50", CONTINENTAL),
        ("1,234.50", PLAIN),
        ("12,34", ENGLISH),
        ("1,2345", ENGLISH),
        (",234", ENGLISH),
        ("1,234,", ENGLISH),
        ("1234,567.00", ENGLISH),
    ],
)
def test_t26_another_convention_than_the_declared_one_is_refused(text: str, form: NumberFormat) -> None:
    with pytest.raises(Rejected, match="is not an amount"):
        parse_amount(text, form, field="cost")


@pytest.mark.parametrize(("text", "currency"), [("$5", "EUR"), ("€5", None), ("£$5", "GBP"), ("$5$", "USD")])
def test_t26_a_symbol_of_another_currency_is_refused(text: str, currency: str | None) -> None:
    with pytest.raises(Rejected, match="the amount's currency is"):
        parse_amount(text, ENGLISH, field="cost", currency=currency)


def test_a_symbol_among_the_digits_is_no_amount() -> None:
    with pytest.raises(Rejected, match="is not an amount"):
        parse_amount("1$2", ENGLISH, field="cost", currency="USD")


def test_a_format_with_one_mark_for_both_is_refused() -> None:
    with pytest.raises(ValueError, match="must differ"):
        NumberFormat(".", ".")
    with pytest.raises(ValueError, match="the decimal mark is"):
        NumberFormat("/", "")


@given(st.decimals(-(10**12), 10**12, places=4), st.sampled_from(FORMS))
def test_every_amount_is_read_as_it_was_written(amount: Decimal, form: NumberFormat) -> None:
    text = format(amount, ",.4f").translate({ord(","): form.group_mark, ord("."): form.decimal_mark})
    assert parse_amount(text, form, field="cost") == amount


@pytest.mark.parametrize(
    ("number", "digits", "expected"),
    [
        (repr(0.1 + 0.2), 2, "0.30"),
        (repr(1.1 * 3), 2, "3.30"),
        (repr(-0.1 - 0.2), 2, "-0.30"),
        (repr(4.35 * 100), 0, "435"),
        ("12.5", 2, "12.50"),
        ("7", 3, "7.000"),
        ("0", 2, "0.00"),
    ],
)
def test_t26_a_float_artefact_is_the_amount_it_stands_for(number: str, digits: int, expected: str) -> None:
    assert str(from_float_artefact(Decimal(number), digits, field="cost")) == expected


@pytest.mark.parametrize("number", ["0.305", "0.3001", "0.30000000001", "NaN", "Infinity", "1e15", "1e2000000"])
def test_t26_more_than_an_artefact_is_refused_not_rounded(number: str) -> None:
    with pytest.raises(Rejected) as caught:
        from_float_artefact(Decimal(number), 2, field="cost")
    assert caught.value.field == "cost"
