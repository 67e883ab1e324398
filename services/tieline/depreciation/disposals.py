"""Disposals, full and partial: final depreciation, clearing of cost and accumulated, result; and their reversal.

A partial disposal splits the book: the part that leaves is depreciated to the convention's cut-off and cleared, the
part that is kept goes on as before.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from tieline.depreciation.books import Account, Book, BookStatus, Changed, Entry, journal
from tieline.depreciation.schedule import Anchor
from tieline.depreciation.settling import final_depreciation, post_due, reopened_on, with_final_line
from tieline.depreciation.terms import ZERO, BookTerms, check_amount
from tieline.kernel.currencies import round_to_minor_unit
from tieline.kernel.errors import Rejected

WHOLE = Fraction(1)
_PERCENT = 100


class DisposalKind(StrEnum):
    """Why an asset leaves."""

    SALE = "SALE"
    SCRAP = "SCRAP"
    DONATION = "DONATION"
    LOSS = "LOSS"
    THEFT = "THEFT"
    TRADE_IN = "TRADE_IN"
    INTERCOMPANY = "INTERCOMPANY"


class ResultRegime(StrEnum):
    """How the result of a disposal is shown."""

    NET = "NET"  # one gain or loss
    GROSS_RESIDUAL_VALUE = "GROSS_RESIDUAL_VALUE"  # proceeds as income, residual value as expense (France)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposal:
    """A disposal that took place.

    ``whole`` is the book's terms before it, ``gone`` the part that left, depreciated to the cut-off, ``kept`` the book
    after it. ``depreciation`` and ``clearing`` are its two journals; each sums to zero.
    """

    on: dt.date
    kind: DisposalKind
    proceeds: Decimal
    whole: BookTerms
    gone: Book
    kept: Book
    depreciation: tuple[Entry, ...]
    clearing: tuple[Entry, ...]

    @property
    def result(self) -> Decimal:
        """Gain, or loss if negative."""
        return self.proceeds - self.gone.nbv


def share_of_quantity(quantity: Decimal, whole: Decimal) -> Fraction:
    """The share that ``quantity`` is of ``whole``."""
    return _share(quantity, whole, "quantity")


def share_of_percent(percent: Decimal) -> Fraction:
    """The share that ``percent`` per cent is."""
    return _share(percent, Decimal(_PERCENT), "percent")


def share_of_amount(amount: Decimal, cost: Decimal) -> Fraction:
    """The share that ``amount`` is of the acquisition cost: exactly that amount of cost leaves."""
    return _share(amount, cost, "amount")


def dispose(
    book: Book,
    on: dt.date,
    kind: DisposalKind,
    *,
    proceeds: Decimal = ZERO,
    share: Fraction = WHOLE,
    regime: ResultRegime = ResultRegime.NET,
) -> Disposal:
    """Take ``share`` of the book out on ``on``.

    Raises Rejected for a book that is already disposed of, proceeds of a donation, a share outside 0..1, or a day
    before the start.
    """
    check_amount(proceeds, book.terms.currency, "proceeds")
    if proceeds < 0 or (proceeds and kind is DisposalKind.DONATION):
        raise Rejected(f"{kind} for {proceeds}", field="proceeds", remedy="mend the proceeds or the kind")
    if not 0 < share <= 1:
        raise Rejected(f"share {share}", field="share", remedy="give more than nothing and at most the whole")
    before, due = book.nbv, ZERO
    if book.status is not BookStatus.HELD_FOR_SALE:
        book = post_due(book, on)
        due = final_depreciation(book, on)
    gone, kept = split(book, share)
    final = gone.nbv - _part(book, book.nbv - due, share)
    gone = replace(gone, accumulated=gone.accumulated + final)
    # The history, with the final line, stays with what is kept: documents are not split.
    kept = replace(kept, posted=with_final_line(book, on, final).posted)
    if share == WHOLE:
        kept = replace(kept, status=BookStatus.DISPOSED)
    total = before - gone.nbv - kept.nbv
    return Disposal(
        on=on,
        kind=kind,
        proceeds=proceeds,
        whole=book.terms,
        gone=gone,
        kept=kept,
        depreciation=journal((Account.DEPRECIATION, total), (Account.ACCUMULATED_DEPRECIATION, -total)),
        clearing=_clearing(gone, proceeds, regime),
    )


def reverse_disposal(book: Book, disposal: Disposal, on: dt.date) -> Changed:
    """``book``, which is what ``disposal`` kept and as it is today, with the part that left back in it from ``on``.

    Net book value is what it was at the disposal's cut-off; the line of the period around ``on`` brings what was missed
    since. The final depreciation stays posted: it was due. Only the latest disposal can be reversed, and only
    while the terms and values of what was kept are unchanged (Oracle reinstates only the most recent retirement).
    """
    kept = disposal.kept
    if (book.terms, book.anchor, book.basis) != (kept.terms, kept.anchor, kept.basis):
        raise Rejected("the book changed since the disposal", field="disposal", remedy="reverse the later change first")
    if on < disposal.on:
        raise Rejected(f"{on} is before the disposal", field="on", remedy=f"give {disposal.on} or later")
    whole = _merge(book, disposal.gone, disposal.whole)
    restored = replace(whole, status=disposal.gone.status, open_from=reopened_on(book, on))
    return Changed(restored, tuple(Entry(entry.account, -entry.amount) for entry in disposal.clearing))


def split(book: Book, share: Fraction) -> tuple[Book, Book]:
    """(``share`` of the book, the rest): every amount of the two sums to the book's (Invariant 11)."""

    def part(amount: Decimal) -> Decimal:
        return _part(book, amount, share)

    # Cost and book value are shared, and what is worn is what lies between: no part is ever worth less than nothing.
    worn = part(book.cost) - part(book.nbv)
    impairment = min(part(book.impairment), worn)
    shadows = (None, None) if book.unimpaired is None else split(book.unimpaired, share)
    gone_terms, kept_terms = _split_terms(book.terms, share)
    gone = replace(
        book,
        terms=gone_terms,
        cost=part(book.cost),
        accumulated=worn - impairment,
        impairment=impairment,
        revaluation_surplus=part(book.revaluation_surplus),
        revaluation_loss=part(book.revaluation_loss),
        anchor=replace(book.anchor, nbv=part(book.anchor.nbv)),
        basis=replace(book.basis, nbv=part(book.basis.nbv)),
        unimpaired=shadows[0],
    )
    kept = replace(
        book,
        terms=kept_terms,
        cost=book.cost - gone.cost,
        accumulated=book.accumulated - gone.accumulated,
        impairment=book.impairment - gone.impairment,
        revaluation_surplus=book.revaluation_surplus - gone.revaluation_surplus,
        revaluation_loss=book.revaluation_loss - gone.revaluation_loss,
        anchor=replace(book.anchor, nbv=book.anchor.nbv - gone.anchor.nbv),
        basis=replace(book.basis, nbv=book.basis.nbv - gone.basis.nbv),
        unimpaired=shadows[1],
    )
    return gone, kept


def _part(book: Book, amount: Decimal, share: Fraction) -> Decimal:
    return round_to_minor_unit(share * Fraction(amount), book.terms.currency)


def _merge(kept: Book, gone: Book, terms: BookTerms) -> Book:
    shadow = kept.unimpaired
    if shadow is not None and gone.unimpaired is not None:
        shadow = _merge(shadow, gone.unimpaired, terms)
    return replace(
        kept,
        terms=terms,
        cost=kept.cost + gone.cost,
        accumulated=kept.accumulated + gone.accumulated,
        impairment=kept.impairment + gone.impairment,
        revaluation_surplus=kept.revaluation_surplus + gone.revaluation_surplus,
        revaluation_loss=kept.revaluation_loss + gone.revaluation_loss,
        anchor=Anchor(kept.anchor.nbv + gone.anchor.nbv, kept.anchor.month),
        basis=Anchor(kept.basis.nbv + gone.basis.nbv, kept.basis.month),
        unimpaired=shadow,
    )


def _split_terms(terms: BookTerms, share: Fraction) -> tuple[BookTerms, BookTerms]:
    if share == WHOLE:
        return terms, terms
    # Salvage and given amounts are shared; units of production are not: both parts wear with the same use.
    salvage = round_to_minor_unit(share * Fraction(terms.salvage), terms.currency)
    gone = tuple(
        replace(entry, quantity=round_to_minor_unit(share * Fraction(entry.quantity), terms.currency))
        for entry in terms.manual
    )
    kept = tuple(
        replace(entry, quantity=entry.quantity - part.quantity) for entry, part in zip(terms.manual, gone, strict=True)
    )
    return replace(terms, salvage=salvage, manual=gone), replace(terms, salvage=terms.salvage - salvage, manual=kept)


def _clearing(gone: Book, proceeds: Decimal, regime: ResultRegime) -> tuple[Entry, ...]:
    result = proceeds - gone.nbv
    if regime is ResultRegime.NET:
        shown = (
            (Account.GAIN_ON_DISPOSAL, -max(result, ZERO)),
            (Account.LOSS_ON_DISPOSAL, -min(result, ZERO)),
        )
    else:
        shown = ((Account.DISPOSAL_PROCEEDS, -proceeds), (Account.DISPOSAL_RESIDUAL_VALUE, gone.nbv))
    return journal(
        (Account.ASSET_COST, -gone.cost),
        (Account.ACCUMULATED_DEPRECIATION, gone.accumulated),
        (Account.ACCUMULATED_IMPAIRMENT, gone.impairment),
        (Account.RECEIVABLE, proceeds),
        *shown,
        # A surplus is realised when its asset leaves (IAS 16.41).
        (Account.REVALUATION_SURPLUS, gone.revaluation_surplus),
        (Account.RETAINED_EARNINGS, -gone.revaluation_surplus),
    )


def _share(part: Decimal, whole: Decimal, field: str) -> Fraction:
    if not (part.is_finite() and whole.is_finite() and 0 < part <= whole):
        raise Rejected(f"{part} of {whole}", field=field, remedy="give more than nothing and at most the whole")
    return Fraction(part) / Fraction(whole)
