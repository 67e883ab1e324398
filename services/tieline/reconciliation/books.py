"""Depreciation books: the giver's original and the receiver's copy against the hub's, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tieline.kernel.book_records import BookFields, BookState, ScheduleLine
from tieline.kernel.memory import DriftKind, Observed
from tieline.reconciliation.assets import unreadable_record
from tieline.reconciliation.bench import Bench, asset_native_of
from tieline.reconciliation.deliveries import MISSED, Verdict, judge, judge_absence
from tieline.reconciliation.evidence import BOOK, book_key
from tieline.reconciliation.findings import Effect, Finding, Remedy, as_text, book_effects, negated

VALUES = ("currency", "gross_cost", "accumulated", "net_book_value")


def compare_books(bench: Bench) -> Iterator[Finding]:
    """Differences of the books at the system. A book whose asset is not there belongs to the asset's difference."""
    compared: set[str] = set()
    for key, placed in bench.evidence.books.items():
        state = placed.row
        if state.asset_id not in bench.native_of or not bench.book_in_scope(state):
            continue
        native = bench.book_native(state)
        compared.add(native)
        row = bench.books.get(native)
        if row is None or row.book is None:
            yield _absent(bench, key, state, native)
        else:
            yield from _differing(bench, key, state, row.book, native)
    for native, row in bench.books.items():
        if native not in compared and asset_native_of(native) not in bench.surplus:
            yield _surplus(bench, row)


def _absent(bench: Bench, key: str, state: BookState, native: str) -> Finding:
    effects = negated(book_effects(state.fields, bench.company_of(state.asset_id)))
    unreadable = bench.blind(BOOK, (native,))
    if unreadable is not None:
        return unreadable_record(bench, unreadable, BOOK, state.asset_id, effects=effects, state_key=key)
    entry = bench.evidence.delivery(bench.system, BOOK, book_key(state))
    copy = bench.scope.receives(BOOK, bench.system)
    return bench.find(
        DriftKind.MISSING,
        BOOK,
        canonical_id=state.asset_id,
        native_id=native,
        expected=_describe(state.fields),
        cause=judge_absence(entry, linked=not copy),
        remedy=Remedy.WRITE if copy else Remedy.PERSON,
        amount=(-state.fields.net_book_value, state.fields.currency),
        effects=effects,
        state_key=key,
    )


def _differing(bench: Bench, key: str, state: BookState, held: BookFields, native: str) -> Iterator[Finding]:
    names: list[str] = [name for name in VALUES if getattr(held, name) != getattr(state.fields, name)]
    lines = _first_difference(state.fields.lines, held.lines)
    if not names and lines is None:
        return
    verdict = _verdict(bench, state, held)

    def finding(field: str, expected: str | None, found: str | None, amount: Decimal | None) -> Finding:
        return bench.find(
            verdict.kind,
            BOOK,
            canonical_id=state.asset_id,
            native_id=native,
            field=field,
            expected=expected,
            found=found,
            owner="erp",
            cause=verdict.cause,
            remedy=verdict.remedy,
            amount=(amount, held.currency) if amount is not None else None,
            effects=_moved(bench, state, held, field, names),
            state_key=key,
        )

    for name in names:
        expected, found = getattr(state.fields, name), getattr(held, name)
        same_currency = isinstance(found, Decimal) and held.currency == state.fields.currency
        yield finding(name, as_text(expected), as_text(found), found - expected if same_currency else None)
    if lines is not None:
        yield finding("lines", *lines, None)


def _moved(bench: Bench, state: BookState, held: BookFields, field: str, names: list[str]) -> tuple[Effect, ...]:
    """What a differing value does to the totals; another currency moves the whole book."""
    company = bench.company_of(state.asset_id)
    effects = (*book_effects(held, company), *negated(book_effects(state.fields, company)))
    if "currency" in names:
        return effects if field == "currency" else ()
    measure = {"accumulated": "accumulated depreciation", "net_book_value": "net book value"}.get(field)
    return tuple(effect for effect in effects if effect.measure == measure)


def _verdict(bench: Bench, state: BookState, held: BookFields) -> Verdict:
    if not bench.scope.receives(BOOK, bench.system):
        return MISSED
    entry = bench.evidence.delivery(bench.system, BOOK, book_key(state))
    return judge(entry, state.version, held, foreign_edit_seen=False)


def _surplus(bench: Bench, row: Observed) -> Finding:
    asset_id = bench.asset_of.get(asset_native_of(row.native_id))
    company = bench.company_of(asset_id) if asset_id else None
    copy = bench.scope.receives(BOOK, bench.system)
    fields = row.book
    return bench.find(
        DriftKind.EXTRA,
        BOOK,
        native_id=row.native_id,
        found=_describe(fields) if fields else None,
        cause="unknown to the hub" if copy else "the hub never heard of this book",
        remedy=Remedy.PERSON if copy else Remedy.RE_READ,
        amount=(fields.net_book_value, fields.currency) if fields else None,
        effects=book_effects(fields, company) if fields else (),
        hub_ref=asset_id,
    )


def _first_difference(expected: tuple[ScheduleLine, ...], found: tuple[ScheduleLine, ...]) -> tuple[str, str] | None:
    """The first schedule line that differs, as texts for people, with how many others do."""
    wanted, held = [_line_values(line) for line in expected], [_line_values(line) for line in found]
    if wanted == held:
        return None
    longest = max(len(wanted), len(held))
    differing = [i for i in range(longest) if wanted[i : i + 1] != held[i : i + 1]]
    first, more = differing[0], len(differing) - 1
    tail = f" (and {more} more)" if more else ""
    return f"{_line(expected, first)}{tail}", f"{_line(found, first)}{tail}"


def _line_values(line: ScheduleLine) -> tuple[object, ...]:
    return line.date, line.depreciation, line.accumulated_after, line.net_book_value_after, line.posted


def _line(lines: tuple[ScheduleLine, ...], index: int) -> str:
    if index >= len(lines):
        return f"line {index + 1}: none"
    line = lines[index]
    return (
        f"line {index + 1}, {line.date.isoformat()}: {as_text(line.depreciation)}, accumulated "
        f"{as_text(line.accumulated_after)}, net {as_text(line.net_book_value_after)}, "
        f"{'posted' if line.posted else 'not posted'}"
    )


def _describe(fields: BookFields) -> str:
    return (
        f"{fields.book_id}: accumulated {as_text(fields.accumulated)}, net book value "
        f"{as_text(fields.net_book_value)} {fields.currency}, {len(fields.lines)} lines"
    )
