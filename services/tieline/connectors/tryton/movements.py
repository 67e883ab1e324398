"""What Tryton posts on an asset besides depreciation, as book movements. Pure.

Tryton has three such documents. An *update* changes the asset's value and posts a move; with it or without one it makes
a *revision*, which keeps value, residual value and end date from then on. *Closing* posts a move that takes the asset
out. Both moves have the asset as their origin; a move that *cancels* one of them has that move as its origin.

What Tryton cannot say:

- what stood before the first revision of an asset, for it overwrites the asset: the life before is then not said, and
  whether it changed is told by the duration of the product, by which Tryton proposes the end date;
- on which day a revision without a move takes effect: it is the day it was made;
- that a balance sheet account is the revaluation surplus: ``revaluation_surplus_accounts`` of the settings name it;
- how an asset left that a person closed: the line ``disposal-kind`` of its comment tells it, else that a customer's
  invoice closed it;
- what was paid for it: that stands on the customer's invoice, which closing does not post;
- that a cancelled move takes its effect back: the asset stays closed, or at its new value, until a person updates it.
  The roll-forward then shows the difference between the ledger and the register.

A residual value that changes alone moves nothing in the books and is no movement; the book's report has it.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tieline.connectors.tryton import comment
from tieline.connectors.tryton.building import Context, checked, origin_of, period_name
from tieline.connectors.tryton.movement_models import (
    AssetMove,
    AssetRevision,
    CancellingMove,
    PostedLine,
    RevisedAsset,
)
from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.errors import Rejected
from tieline.kernel.movement_records import SIDES, MovementFields, MovementKind, MovementReport, RevisionPolicy

BOOK_ID = "main"
ENTITY = "movement"
MONTHS_OF_YEAR = 12
_ZERO = Decimal(0)


def movement_report(context: Context, move: AssetMove) -> MovementReport:
    """An update's change of value, or a disposal. Raises ``Rejected`` for a move that neither wizard makes."""
    origin = origin_of(context, ENTITY, str(move.id), (move.create_date,), None)
    return checked(lambda: MovementReport(origin=origin, fields=_posted(context, move)), "fields")


def reversal_report(context: Context, move: CancellingMove) -> MovementReport:
    """The exact opposite of a movement, by the move that cancels its move."""
    original = checked(lambda: _posted(context, move.cancelled, "origin."), "fields")
    disposed = original.kind is MovementKind.DISPOSAL
    update = {
        "kind": MovementKind.DISPOSAL_REVERSAL if disposed else original.kind,
        "effective_date": move.date,
        "posting_period": period_name(move.period),
        "document": move.number,
        "reason": move.description,
        "reversal_of": str(move.cancelled.id),
        **{name: -getattr(original, name) for name in SIDES},
    }
    fields = checked(lambda: MovementFields.model_validate(original.model_dump() | update), "fields")
    # A move that waited as a draft counts from when it was posted.
    return MovementReport(origin=origin_of(context, ENTITY, str(move.id), (move.changed_at,), None), fields=fields)


def revision_reports(context: Context, revision: AssetRevision) -> tuple[MovementReport, ...]:
    """The new useful life of a revision; none where the end date stays in the same period of the book."""
    asset = revision.asset
    before = max((one for one in asset.revisions if one.id < revision.id), key=lambda one: one.id, default=None)
    to_life = _periods(asset, revision.end_date)
    duration = asset.product.template.depreciation_duration
    from_life = _periods(asset, before.end_date) if before is not None else None
    usual = _of_months(asset, int(duration)) if duration is not None else None
    if to_life == (from_life if before is not None else usual):
        return ()
    made_on = revision.create_date
    # Revision and move of one update are of one transaction, and so of one stamp.
    day = next((move.date for move in asset.update_moves if move.create_date == made_on), made_on.date())
    native_id = f"revision|{revision.id}"

    def build() -> MovementReport:
        fields = {
            "kind": MovementKind.LIFE_CHANGE,
            "asset_native_id": str(asset.id),
            "book_id": BOOK_ID,
            "company": asset.company.party.code or "",
            "currency": asset.company.currency.code or "",
            "effective_date": day,
            "reason": revision.description,
            "from_life_periods": from_life,
            "to_life_periods": to_life,
            # What is left is spread over the periods that are left; what is posted stays.
            "policy": RevisionPolicy.REMAINING_LIFE,
            **dict.fromkeys(SIDES, _ZERO),
        }
        origin = origin_of(context, ENTITY, native_id, (made_on,), None)
        return MovementReport(origin=origin, fields=MovementFields.model_validate(fields))

    return (checked(build, "fields"),)


def _posted(context: Context, move: AssetMove, place: str = "") -> MovementFields:
    asset = move.asset
    # Tryton writes the lines of a move one after the other: the ids tell which is which.
    lines = sorted(move.lines, key=lambda line: line.id)
    if move.id == asset.move:
        terms = _closed(move, lines, place)
    elif move.id in asset.update_moves:
        terms = _updated(context, lines, place)
    else:
        raise Rejected(
            "the asset knows no such move",
            field=f"{place}origin.update_moves",
            remedy="post changes of an asset's value by Tryton's own update and close",
        )
    revision = next((one for one in asset.revisions if one.create_date == move.create_date), None)
    return MovementFields.model_validate(
        {
            "asset_native_id": str(asset.id),
            "book_id": BOOK_ID,
            "company": move.company.party.code or "",
            "currency": move.company.currency.code or "",
            "effective_date": move.date,
            "posting_period": period_name(move.period),
            "document": move.number,
            "reason": revision.description if revision else None,
            **dict.fromkeys(SIDES, _ZERO),
            **terms,
        }
    )


def _updated(context: Context, lines: list[PostedLine], place: str) -> dict[str, object]:
    """What an update posts: the counterpart first, then the asset's side.

    Tryton changes the asset's value both ways, also where a write-down is posted on accumulated depreciation: it is the
    register's cost that moves, and that the book reports.
    """
    if len(lines) != 2:  # noqa: PLR2004  - counterpart and asset
        raise _unknown_lines(lines, place)
    counterpart, _ = lines
    change = counterpart.credit - counterpart.debit
    terms: dict[str, object] = {"cost_change": change, "net_book_value_change": change}
    statement = counterpart.account.type.statement if counterpart.account.type else None
    if statement == "income":
        side = {"income": change} if change > 0 else {"expense": -change}
        return {"kind": MovementKind.REVALUATION, **terms, **side}
    if counterpart.account.code in context.surplus_accounts:
        return {"kind": MovementKind.REVALUATION, **terms, "surplus_change": change}
    return {"kind": MovementKind.ACQUISITION_ADJUSTMENT, **terms, "clearing": change}


def _closed(move: AssetMove, lines: list[PostedLine], place: str) -> dict[str, object]:
    """What closing posts: the value, the accumulated depreciation, and what is left between them, if anything is."""
    if len(lines) not in {2, 3}:
        raise _unknown_lines(lines, place)
    value, worn = lines[0].credit - lines[0].debit, lines[1].debit - lines[1].credit
    left = value - worn
    return {
        "kind": MovementKind.DISPOSAL,
        "cost_change": -value,
        "accumulated_change": -worn,
        "net_book_value_change": -left,
        "expense": max(left, _ZERO),
        "income": max(-left, _ZERO),
        "disposal_kind": _disposal_kind(move, place),
    }


def _disposal_kind(move: AssetMove, place: str) -> DisposalKind:
    said = comment.read_values(move.asset.comment).get("disposal-kind")
    if said is not None and said.strip().upper() in set(DisposalKind) - {DisposalKind.UNKNOWN}:
        return DisposalKind(said.strip().upper())
    if move.asset.customer_invoice_line is not None:
        return DisposalKind.SALE
    raise Rejected(
        "Tryton does not say how the asset left",
        field=f"{place}origin.comment.disposal-kind",
        remedy="write the line disposal-kind: scrap (sale, donation, loss, theft, ...) into the asset's comment",
    )


def _unknown_lines(lines: list[PostedLine], place: str) -> Rejected:
    return Rejected(
        f"{len(lines)} lines are not what Tryton posts here",
        field=f"{place}lines",
        remedy="post changes of an asset's value by Tryton's own update and close",
    )


def _periods(asset: RevisedAsset, end: dt.date) -> int:
    """Periods of the book from the start of depreciation to its end, a part of one counting as one."""
    after = end + dt.timedelta(days=1)
    months = (after.year - asset.start_date.year) * MONTHS_OF_YEAR + after.month - asset.start_date.month
    return _of_months(asset, months + (after.day > asset.start_date.day))


def _of_months(asset: RevisedAsset, months: int) -> int:
    return months if asset.frequency == "monthly" else -(-months // MONTHS_OF_YEAR)
