"""A statement's line to a cost document. Pure; every refusal names the column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from tieline.connectors.cardfile.settings import Settings
from tieline.connectors.cardfile.statements import LAYOUT_OF, Layout, Line
from tieline.connectors.kit.amounts import parse_amount
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

STREAM = "card-lines"
STREAMS = (STREAM,)
MAX_ITEM_BYTES = 100_000
_VERSION = "1"  # a statement's line is final


def raw_item(line: Line) -> RawItem:
    """The line as it is kept: its values untouched, with file and line for whoever looks for it."""
    payload = {"file": line.file, "line": line.number, "layout": line.layout.name, "values": dict(line.values)}
    return RawItem(STREAM, line.native_id, dump_json(payload))


def map_item(settings: Settings, system: str, item: RawItem) -> Sequence[Report]:
    """The cost document of one line; a credit is negative. Raises ``Rejected`` with the column at fault."""
    try:
        document = parse_json(item.payload, max_bytes=MAX_ITEM_BYTES)
    except JsonError as error:
        raise Rejected(f"the record is not acceptable JSON: {error}", field="$") from None
    layout, values = _read(item, document)
    day = _day(settings, layout, values)
    amount = parse_amount(
        values[layout.amount], settings.number_format, field=layout.amount, currency=settings.currency
    )
    said = [values[column].strip() for column in (layout.merchant, *layout.details)]
    reference = values[layout.reference].strip() if layout.reference else ""
    try:
        line = CostLine(
            line_no=1,
            kind=CostKind.OTHER,
            description=", ".join(text for text in said if text) or "no merchant given",
            amount=amount,
        )
        fields = CostFields(
            work_order=reference or item.native_id,
            company=settings.company,
            currency=settings.currency,
            cost_centre=settings.cost_centre,
            effective_date=day,
            total=amount,
            lines=(line,),
        )
        origin = Origin(
            system=system,
            entity="cost-document",
            native_id=item.native_id,
            source_version=_VERSION,
            # A statement tells days only.
            recorded_at=dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC),
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        column = layout.amount if fault["loc"][-1] in {"amount", "total"} else str(fault["loc"][-1])
        raise Rejected(fault["msg"].removeprefix("Value error, "), field=column) from None
    return [CostReport(origin=origin, fields=fields)]


def _read(item: RawItem, document: object) -> tuple[Layout, Mapping[str, str]]:
    found = document if isinstance(document, dict) else {}
    layout, values = LAYOUT_OF.get(str(found.get("layout"))), found.get("values")
    if item.stream != STREAM or layout is None or not isinstance(values, dict):
        raise Rejected("is no line of a statement", field="$")
    if set(values) != set(layout.header) or not all(isinstance(value, str) for value in values.values()):
        raise Rejected("does not have the columns of its layout", field="values")
    return layout, values


def _day(settings: Settings, layout: Layout, values: Mapping[str, str]) -> dt.date:
    try:
        # A calendar day of the business: no zone can make it another.
        return dt.datetime.strptime(values[layout.date].strip(), settings.date_format).date()  # noqa: DTZ007
    except ValueError:
        raise Rejected(
            f"is not a day written like {settings.date_format}",
            field=layout.date,
            remedy="correct date_format in the landscape, or the statement",
        ) from None
