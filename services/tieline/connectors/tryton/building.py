"""What all mappings of Tryton's records share: the record as its shape, places of faults, origins, quantities. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tieline.connectors.tryton.models import FiscalPeriod, FiscalYear
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Origin

MAX_QUANTITY_DIGITS = 6
MAX_QUANTITY_MAGNITUDE = 12

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Context:
    """What the mapping must know beside the record: the system's name and its landscape settings."""

    system: str
    product_classes: Mapping[str, str]
    expense_account: str
    codes: Codes = SHARED
    surplus_accounts: frozenset[str] = frozenset()

    def read_only(self) -> Context:
        """For reading back what Tryton holds: a code that is on no list is a difference there, not a fault."""
        return replace(self, codes=self.codes.read_only())


def parse(shape: type[Shape], document: Mapping[str, object]) -> Shape:
    """A record as its shape. Raises ``Rejected`` with the path of the first value that does not fit."""
    return checked(lambda: shape.model_validate(document), "")


def origin_of(
    context: Context, entity: str, native_id: str, stamps: Iterable[dt.datetime], hub_ref: str | None
) -> Origin:
    """Which record a report speaks of; its version is the latest of the time stamps."""
    changed_at = max(stamps)
    return Origin(
        system=context.system,
        entity=entity,
        native_id=native_id,
        source_version=changed_at.isoformat(timespec="microseconds"),
        recorded_at=changed_at,
        hub_ref=hub_ref,
    )


def quantity_of(value: Decimal | None, field: str) -> Decimal | None:
    """A quantity without trailing zeros. Raises ``Rejected`` where it does not fit the model."""
    if value is None:
        return None
    if abs(value.adjusted()) > MAX_QUANTITY_MAGNITUDE and value:
        raise Rejected("is out of range", field=field, remedy="correct the record in Tryton")
    rounded = round(value, MAX_QUANTITY_DIGITS)
    if rounded != value:
        raise Rejected(f"has more than {MAX_QUANTITY_DIGITS} digits after the point", field=field)
    return rounded.normalize() if rounded else Decimal(0)


def year_name(year: FiscalYear) -> str:
    """Four digits: its name where that is a year, else the year it ends in."""
    return year.name if re.fullmatch(r"\d{4}", year.name) else f"{year.end_date.year:04d}"


def months_into(year: FiscalYear, day: dt.date) -> int:
    """Months from the start of the year to the day's month."""
    return (day.year - year.start_date.year) * 12 + day.month - year.start_date.month


def period_name(period: FiscalPeriod) -> str:
    """``YYYY-PPP``: its month's place in its fiscal year, which need not start in January."""
    return f"{year_name(period.fiscalyear)}-{months_into(period.fiscalyear, period.start_date) + 1:03d}"


Built = TypeVar("Built")


def checked(build: Callable[[], Built], prefix: str) -> Built:
    """What ``build`` gives. Raises ``Rejected`` with the place of the first value that does not fit."""
    try:
        return build()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Rejected(
            first["msg"].removeprefix("Value error, "),
            field=path(first["loc"], prefix) or "$",
            remedy="correct the record in Tryton",
        ) from None


def path(location: Sequence[int | str], prefix: str = "") -> str:
    """``lines[2].amount`` for pydantic's ``("lines.", 2, "amount")``."""
    text = prefix
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{part.rstrip('.')}"
    return text
