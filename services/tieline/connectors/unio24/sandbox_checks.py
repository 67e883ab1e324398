"""What the sandbox accepts as input, and how it tidies it up: the part of the API that refuses."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from tieline.connectors.kit.sandboxing.answers import Refusal

Document = dict[str, object]
Check = Callable[[str, object], object]

STATUSES = ("ordered", "in_stock", "in_use", "in_repair", "retired", "lost")
REASONS = ("sold", "scrapped", "donated", "lost", "stolen")
CONDITIONS = ("new", "good", "fair", "poor", "broken")
COST_KINDS = ("labour", "part", "service", "tool")
NAME_LENGTH = 120
_NO_CENTS = ("JPY", "KRW", "CLP", "VND")
_DECIMAL = re.compile(r"-?\d{1,16}(\.\d{1,6})?")


def _bad(name: str, why: str) -> Refusal:
    return Refusal(422, f"{name}: {why}", field=name)


def text(length: int, *, cut: bool = False) -> Check:
    """Trimmed text; empty counts as absent; longer is refused, or silently cut."""

    def check(name: str, value: object) -> object:
        if not isinstance(value, str):
            raise _bad(name, "must be text")
        tidy = value.strip()
        if len(tidy) > length and not cut:
            raise _bad(name, f"is longer than {length} characters")
        return tidy[:length].rstrip() or None

    return check


def one_of(options: Iterable[str]) -> Check:
    """One of the listed words."""
    allowed = tuple(options)

    def check(name: str, value: object) -> object:
        if value not in allowed:
            raise _bad(name, f"must be one of {', '.join(allowed)}")
        return value

    return check


def decimal(scale: int) -> Check:
    """A decimal number as text, at most ``scale`` digits after the point; shown with at least two of them."""

    def check(name: str, value: object) -> object:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value.strip()):
            raise _bad(name, 'must be a decimal number as text, such as "12.50"')
        number = Decimal(value.strip())
        if number != round(number, scale):
            raise _bad(name, f"has more than {scale} digits after the point")
        return format(number if places(number) >= 2 else number.quantize(Decimal("0.01")), "f")  # noqa: PLR2004  - cents

    return check


def places(number: Decimal) -> int:
    """Digits after the point."""
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def date(name: str, value: object) -> object:
    """A calendar date, YYYY-MM-DD."""
    try:
        return dt.date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _bad(name, "must be a date, YYYY-MM-DD") from None


def currency(name: str, value: object) -> object:
    """An ISO 4217 code."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise _bad(name, "must be an ISO 4217 code such as EUR")
    return value


def flag(name: str, value: object) -> object:
    """True or false."""
    if not isinstance(value, bool):
        raise _bad(name, "must be true or false")
    return value


def cents(amount: Decimal, code: str) -> Decimal:
    """The amount rounded half up to the currency's minor unit."""
    return amount.quantize(Decimal(1) if code in _NO_CENTS else Decimal("0.01"), ROUND_HALF_UP)


def asset_checks() -> Mapping[str, Check]:
    """What each writable field of an asset accepts."""
    return {
        "tag": text(50),
        "serial": text(100),
        "name": text(NAME_LENGTH, cut=True),
        "site": text(50),
        "condition": one_of(CONDITIONS),
        "custodian": text(50),
        "status": one_of(STATUSES),
        "category": text(50),
        "company": text(50),
        "cost_centre": text(50),
        "purchase_cost": decimal(4),
        "currency": currency,
        "purchase_date": date,
        "in_service_date": date,
        "retired_date": date,
        "retired_reason": one_of(REASONS),
        "po_line_ref": text(200),
        "quantity": decimal(6),
        "external_ref": text(200),
        "erp_asset_number": text(50),
    }


def panel_checks() -> Mapping[str, Check]:
    """What each field of a finance panel accepts, its lines left out."""
    amount = decimal(4)
    return {
        "currency": currency,
        "method": text(50),
        "cost": amount,
        "residual_value": amount,
        "accumulated": amount,
        "book_value": amount,
        "as_of": date,
        "start_date": date,
        "end_date": date,
    }


def panel_line_checks() -> Mapping[str, Check]:
    """What each field of a schedule line accepts."""
    amount = decimal(4)
    return {
        "date": date,
        "period": text(20),
        "depreciation": amount,
        "accumulated": amount,
        "book_value": amount,
        "posted": flag,
        "document": text(100),
    }


def checked(body: Mapping[str, object], checks: Mapping[str, Check], *, place: str = "") -> Document:
    """The tidied values of ``body``; null stays null; raises ``Refusal`` (422) on an unknown key or a bad value."""
    tidy: Document = {}
    for name, value in body.items():
        check = checks.get(name)
        if check is None:
            raise _bad(place + name, "is not a writable field")
        tidy[name] = None if value is None else check(place + name, value)
    return tidy


def required(body: Mapping[str, object], *names: str, place: str = "") -> None:
    """Raises ``Refusal`` (422) when one of ``names`` has no value."""
    for name in names:
        if body.get(name) is None:
            raise _bad(place + name, "is required")
