"""What a book movement must be: by itself, beside its original, beside its other half. Pure.

Every function raises ``Rejected`` with the field that is at fault; nothing is rounded or mended here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.currencies import minor_units
from tieline.kernel.errors import Rejected
from tieline.kernel.movement_records import SIDES, MovementFields, MovementKind, RevisionPolicy

_NO_SIDES: frozenset[str] = frozenset()
_VALUE = frozenset({"cost_change", "accumulated_change", "net_book_value_change"})
_WEAR = frozenset({"accumulated_change", "net_book_value_change", "surplus_change"})
_HALF = _VALUE | {"surplus_change", "clearing"}
_DISPOSAL = _VALUE | {"surplus_change", "retained_earnings_change", "proceeds", "income", "expense"}
_MAY_MOVE: Mapping[MovementKind, frozenset[str]] = {
    # What a corrected cost would have been depreciated by so far is depreciation, and comes as a posted line (T09).
    MovementKind.ACQUISITION_ADJUSTMENT: frozenset({"cost_change", "net_book_value_change", "clearing"}),
    MovementKind.REVALUATION: _VALUE | {"surplus_change", "income", "expense"},
    MovementKind.IMPAIRMENT: _WEAR | {"expense"},
    MovementKind.IMPAIRMENT_REVERSAL: _WEAR | {"income"},
    MovementKind.LIFE_CHANGE: _NO_SIDES,  # T12: it changes what is still to come
    MovementKind.HELD_FOR_SALE: _NO_SIDES,
    MovementKind.RETURNED_TO_USE: _NO_SIDES,
    MovementKind.SPLIT: _HALF,
    MovementKind.MERGE: _HALF,
    MovementKind.RECLASSIFICATION: _HALF,
    MovementKind.TRANSFER: _HALF,
    MovementKind.DISPOSAL: _DISPOSAL,
    MovementKind.DISPOSAL_REVERSAL: _DISPOSAL,
    # What is under construction is not depreciated yet: only cost goes over.
    MovementKind.SETTLEMENT: frozenset({"cost_change", "net_book_value_change", "clearing"}),
}
_HALVES = frozenset({MovementKind.SPLIT, MovementKind.MERGE, MovementKind.TRANSFER, MovementKind.SETTLEMENT})
_DISPOSALS = frozenset({MovementKind.DISPOSAL, MovementKind.DISPOSAL_REVERSAL})
# Which way the book value goes, where the kind says it.
_DIRECTIONS: Mapping[MovementKind, int] = {
    MovementKind.IMPAIRMENT: -1,
    MovementKind.IMPAIRMENT_REVERSAL: 1,
    MovementKind.DISPOSAL: -1,
    MovementKind.DISPOSAL_REVERSAL: 1,
}
_SAME_IN_REVERSAL = (
    "asset_native_id",
    "book_id",
    "company",
    "currency",
    "disposal_kind",
    "counterpart_native_id",
    "counterpart_company",
)
_CORRECT = "correct the document in the ERP, then replay"
_REVERSE = "reverse the whole document once, and post the right one as a new one, in the ERP"


def check_movement(fields: MovementFields) -> None:
    """Whether a document can stand by itself: its kind, its sides, its share, its other half."""
    if fields.kind is MovementKind.UNKNOWN:
        raise Rejected(
            "a kind of movement this hub does not know", field="fields.kind", remedy="update the hub, then replay"
        )
    _check_sides(fields)
    _check_signs(fields)
    _check_reversal(fields)
    _check_share(fields)
    _check_terms(fields)
    if is_half(fields):
        _check_half(fields)


def is_half(fields: MovementFields) -> bool:
    """Whether the document has another half: what one asset gives, another receives."""
    by_transfer = fields.kind is MovementKind.RECLASSIFICATION and fields.counterpart_native_id is not None
    return fields.kind in _HALVES or by_transfer


def is_settled(fields: MovementFields) -> bool:
    """Whether the document is what an asset under construction gives to a final asset."""
    return fields.kind is MovementKind.SETTLEMENT and fields.reversal_of is None and fields.cost_change < 0


def check_reversal_pair(original: MovementFields, reversal: MovementFields) -> None:
    """Whether the second document takes back the first, to the last minor unit (Invariant 11)."""
    wanted = MovementKind.DISPOSAL_REVERSAL if original.kind is MovementKind.DISPOSAL else original.kind
    if reversal.kind is not wanted:
        raise Rejected(f"a {original.kind} is reversed by {wanted}", field="fields.kind", remedy=_REVERSE)
    for name in _SAME_IN_REVERSAL:
        if getattr(original, name) != getattr(reversal, name):
            reason = f"the reversal has {getattr(reversal, name)}, the original {getattr(original, name)}"
            raise Rejected(reason, field=f"fields.{name}", remedy=_REVERSE)
    _check_opposite(original, reversal, "the reversal", "the original", _REVERSE)


def check_mirror(one: MovementFields, other: MovementFields) -> None:
    """Whether what the one asset gives is what the other receives: two halves sum to nothing (Invariant 11)."""
    expected = {
        "kind": one.kind,
        "company": one.counterpart_company,
        "counterpart_company": one.company,
        "currency": one.currency,
        "effective_date": one.effective_date,
        "from_class": one.from_class,
        "to_class": one.to_class,
    }
    for name, wanted in expected.items():
        said = getattr(other, name)
        if said != wanted:
            reason = f"{said} here, {wanted} in the other half of {one.transaction}"
            remedy = "between two currencies, post a disposal and an acquisition" if name == "currency" else _CORRECT
            raise Rejected(reason, field=f"fields.{name}", remedy=remedy)
    _check_opposite(one, other, "this half", "the other", _CORRECT)


def check_settled(halves: Sequence[MovementFields]) -> None:
    """Whether what an asset under construction gave to final assets in one transaction is, in all, what it was.

    Each half states its share of the whole. Once the shares make the whole, its cost must be gone to the last minor
    unit (Invariant 11); before that, and for halves that state no share, the roll-forward shows what is left.
    """
    stated = [half for half in halves if half.cost_before is not None]
    shares = [
        Fraction(half.share_numerator, half.share_denominator)
        if half.share_numerator is not None and half.share_denominator is not None
        else Fraction(1)
        for half in stated
    ]
    if sum(shares) > 1:
        reason = f"the shares of {halves[0].transaction} make {sum(shares)} of what is settled"
        raise Rejected(reason, field="fields.share_numerator", remedy=_CORRECT)
    given = -sum((half.cost_change for half in stated), Decimal(0))
    for half in stated:
        if half.cost_before != stated[0].cost_before or (sum(shares) == 1 and given != half.cost_before):
            reason = f"{halves[0].transaction} settles {given} of {half.cost_before}"
            raise Rejected(reason, field="fields.cost_change", remedy=_CORRECT)


def _check_opposite(one: MovementFields, other: MovementFields, this: str, that: str, remedy: str) -> None:
    for name in SIDES:
        before, after = getattr(one, name), getattr(other, name)
        if before + after != 0:
            raise Rejected(f"{this} has {after}, {that} {before}", field=f"fields.{name}", remedy=remedy)


def _check_sides(fields: MovementFields) -> None:
    digits = minor_units(fields.currency)
    for name in SIDES:
        amount = getattr(fields, name)
        if amount and name not in _MAY_MOVE[fields.kind]:
            raise Rejected(f"{amount} in a {fields.kind}", field=f"fields.{name}", remedy=_CORRECT)
        if amount != round(amount, digits):
            raise Rejected(f"{amount} is finer than {fields.currency} is", field=f"fields.{name}", remedy=_CORRECT)
    # Invariant 11: a sum stays the sum of its parts.
    if fields.net_book_value_change != fields.cost_change - fields.accumulated_change:
        reason = (
            f"{fields.net_book_value_change} is not the change of the cost, {fields.cost_change}, less that of the "
            f"accumulated depreciation, {fields.accumulated_change}"
        )
        raise Rejected(reason, field="fields.net_book_value_change", remedy=_CORRECT)
    debit = fields.net_book_value_change + fields.proceeds + fields.expense
    credit = fields.income + fields.surplus_change + fields.retained_earnings_change + fields.clearing
    if debit != credit:
        raise Rejected(
            f"its sides differ by {debit - credit} {fields.currency}",
            field="fields",
            remedy="net book value change + proceeds + expense must be income + surplus change + retained earnings "
            "change + clearing; correct the document in the ERP, then replay",
        )


def _check_signs(fields: MovementFields) -> None:
    takes_back = fields.reversal_of is not None
    way = _DIRECTIONS.get(fields.kind, 0)
    if takes_back and fields.kind is not MovementKind.DISPOSAL_REVERSAL:
        way = -way
    if fields.net_book_value_change * way < 0:
        reason = f"the book value changes by {fields.net_book_value_change} in a {fields.kind}"
        raise Rejected(reason, field="fields.net_book_value_change", remedy=_CORRECT)
    for name in ("proceeds", "income", "expense"):
        if not takes_back and getattr(fields, name) < 0:
            raise Rejected("negative, and no reversal", field=f"fields.{name}", remedy=_CORRECT)
    if fields.kind in _DISPOSALS and fields.surplus_change + fields.retained_earnings_change:
        reason = f"of the surplus, {fields.surplus_change} leaves, {fields.retained_earnings_change} is realised"
        raise Rejected(reason, field="fields.retained_earnings_change", remedy=_CORRECT)


def _check_reversal(fields: MovementFields) -> None:
    if fields.kind is MovementKind.DISPOSAL_REVERSAL and fields.reversal_of is None:
        raise Rejected("a reversal of nothing", field="fields.reversal_of", remedy="name the disposal it takes back")
    if fields.kind is MovementKind.DISPOSAL and fields.reversal_of is not None:
        remedy = f"say {MovementKind.DISPOSAL_REVERSAL}"
        raise Rejected("a disposal that takes something back", field="fields.kind", remedy=remedy)
    moves = fields.kind in _DISPOSALS or any(getattr(fields, name) for name in SIDES)
    if fields.reversal_of is not None and not moves:
        reason = f"a {fields.kind} without amounts is not reversed"
        raise Rejected(reason, field="fields.reversal_of", remedy="post the change back as a new one")


def _check_share(fields: MovementFields) -> None:
    """T21: what leaves is the stated share of cost, accumulated depreciation and book value.

    Cost is rounded once. An ERP that rounds cost and book value has the rounding difference in what lies between, which
    may then be one minor unit off (Invariant 11: rounding differences have a place). The whole leaves exactly.
    """
    top, bottom = fields.share_numerator, fields.share_denominator
    cost, worn = fields.cost_before, fields.accumulated_before
    if (top, bottom, cost, worn) == (None, None, None, None):
        return
    if cost is None or worn is None:
        raise Rejected("a share of what?", field="fields.cost_before", remedy="say cost and accumulated of the whole")
    if (top is None) != (bottom is None) or (top is not None and bottom is not None and not 0 < top <= bottom):
        reason = f"{top} of {bottom} is no share"
        raise Rejected(reason, field="fields.share_numerator", remedy="give more than nothing and at most the whole")
    share = Fraction(1) if top is None or bottom is None else Fraction(top, bottom)
    unit = Fraction(0) if share == 1 else Fraction(1, 10 ** minor_units(fields.currency))
    whole = {"cost_change": cost, "accumulated_change": worn, "net_book_value_change": cost - worn}
    for name, before in whole.items():
        moved, wanted = abs(Fraction(getattr(fields, name))), share * Fraction(before)
        off = abs(moved - wanted)
        if off > unit or (name == "cost_change" and unit and off == unit):
            reason = f"{abs(getattr(fields, name))} is not {share} of {before}"
            raise Rejected(reason, field=f"fields.{name}", remedy=_CORRECT)


def _check_terms(fields: MovementFields) -> None:
    if fields.kind in _DISPOSALS and fields.disposal_kind in {None, DisposalKind.UNKNOWN}:
        raise Rejected("how it left is not said", field="fields.disposal_kind", remedy=_CORRECT)
    if fields.disposal_kind is DisposalKind.DONATION and fields.proceeds:
        raise Rejected(f"a donation for {fields.proceeds}", field="fields.proceeds", remedy=_CORRECT)
    if fields.policy is RevisionPolicy.UNKNOWN:
        raise Rejected("a policy this hub does not know", field="fields.policy", remedy="update the hub, then replay")
    if fields.kind is MovementKind.LIFE_CHANGE:
        life = fields.to_life_periods
        if life is None or life < 1 or life == fields.from_life_periods:
            raise Rejected("no new life", field="fields.to_life_periods", remedy=_CORRECT)
    if fields.kind is MovementKind.RECLASSIFICATION:
        if not fields.from_class or not fields.to_class or fields.from_class == fields.to_class:
            raise Rejected("no new class", field="fields.to_class", remedy="say both classes")
        if fields.counterpart_native_id is None and any(getattr(fields, name) for name in SIDES):
            # The book keeps its figures: only the accounts they stand on change.
            raise Rejected(
                "amounts in a reclassification of one asset", field="fields.cost_change", remedy="name the other asset"
            )


def _check_half(fields: MovementFields) -> None:
    for name in ("transaction", "counterpart_native_id", "counterpart_company"):
        if not getattr(fields, name):
            reason = f"a {fields.kind} without its other half"
            raise Rejected(reason, field=f"fields.{name}", remedy="say what both are posted under, and the other asset")
    if fields.counterpart_native_id == fields.asset_native_id:
        raise Rejected("an asset opposite itself", field="fields.counterpart_native_id", remedy=_CORRECT)
    if fields.kind is not MovementKind.TRANSFER and fields.counterpart_company != fields.company:
        reason = f"a {fields.kind} from {fields.company} to {fields.counterpart_company}"
        raise Rejected(reason, field="fields.counterpart_company", remedy="between companies, post a transfer")
