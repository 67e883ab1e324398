"""Assets: every record one system holds or should hold, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, AssetState, FinancialStatus, PhysicalStatus
from tieline.kernel.audit_records import AuditResult
from tieline.kernel.memory import DriftKind, LinkStatus, Observed, XRef
from tieline.kernel.ownership import ASSET_MANAGEMENT, ERP
from tieline.kernel.vocabulary import Money
from tieline.reconciliation.bench import Bench
from tieline.reconciliation.deliveries import MISSED, Verdict, is_touched, judge, judge_absence, was_delivered
from tieline.reconciliation.evidence import ASSET
from tieline.reconciliation.findings import Effects, Finding, Remedy, as_text, book_effects, negated

GONE = frozenset({PhysicalStatus.RETIRED, PhysicalStatus.MISSING})
IN_USE = frozenset({PhysicalStatus.IN_SERVICE, PhysicalStatus.IN_MAINTENANCE})


def compare_assets(bench: Bench) -> Iterator[Finding]:
    """Differences of the system's assets. Nothing is claimed of a record that could not be read."""
    for asset_id, placed in bench.evidence.assets.items():
        if not bench.asset_in_scope(placed.row):
            continue
        native = bench.native_of.get(asset_id)
        if native is None:
            yield _absent(bench, placed.row)
        else:
            yield from _differing(bench, placed.row, bench.assets[native])
            yield from _contradicting(bench, placed.row, bench.assets[native])
    for native, row in bench.assets.items():
        if native not in bench.asset_of:
            yield _surplus(bench, row)


def _absent(bench: Bench, state: AssetState) -> Finding:
    natives = bench.asset_links.natives(state.asset_id)
    entry = bench.evidence.delivery(bench.system, ASSET, state.asset_id)
    effects = negated((*bench.asset_effects(state, state.fields), *_books_of(bench, state)))
    unreadable = bench.blind(ASSET, natives)
    if unreadable is not None:
        return unreadable_record(bench, unreadable, ASSET, state.asset_id, effects=effects)
    cost = state.fields.acquisition_cost if bench.scope.compares(state, bench.system, "acquisition_cost") else None
    kind, elsewhere = _absence(bench, state, was_there=bool(natives) or was_delivered(entry))
    return bench.find(
        kind,
        ASSET,
        canonical_id=state.asset_id,
        native_id=natives[0] if natives else None,
        expected=describe(state.fields),
        cause=f"{judge_absence(entry, linked=bool(natives))}{elsewhere}",
        remedy=Remedy.WRITE if bench.scope.receives(ASSET, bench.system) else Remedy.PERSON,
        amount=(-cost.amount, cost.currency) if cost else None,
        effects=effects,
    )


def _absence(bench: Bench, state: AssetState, *, was_there: bool) -> tuple[DriftKind, str]:
    """Kind of an absence, and what the other side says: only delivering mends what was never there.

    What was there and is gone from one side while the other still has it is a question of fact: a ghost is written
    off or found again, a zombie is taken into the books or carried off. What both sides let go is merely missing.
    """
    if not was_there:
        return DriftKind.MISSING, ""
    if bench.scope.role(bench.system) == ASSET_MANAGEMENT:
        holder = bench.holder_in_books(state)
        seen = _audited(bench, state)
        return (DriftKind.GHOST, f"; the books of {holder} still hold it{seen}") if holder else (DriftKind.MISSING, "")
    holder = bench.holder_on_site(state)
    return (DriftKind.ZOMBIE, f"; {holder} still has it") if holder else (DriftKind.MISSING, "")


def _books_of(bench: Bench, state: AssetState) -> Effects:
    """The books that cannot be there because their asset is not."""
    company = state.fields.company
    return tuple(effect for book in bench.books_of(state.asset_id) for effect in book_effects(book.fields, company))


def _differing(bench: Bench, state: AssetState, row: Observed) -> Iterator[Finding]:
    if row.asset is None:
        return
    # By dictionary: 50,000 records of 15 fields each; attribute access by name takes twice as long.
    expected, found = state.fields.__dict__, row.asset.__dict__
    names = [
        name
        for name in bench.fields
        if expected[name] != found[name] and bench.scope.compares(state, bench.system, name)
    ]
    if not names:
        return
    moved = (*bench.asset_effects(state, row.asset), *negated(bench.asset_effects(state, state.fields)))
    # One difference of the record carries all it does to the totals: the cost's, else the company's.
    carrier = next((name for name in ("acquisition_cost", "company") if name in names), None)
    for name in names:
        verdict = _verdict(bench, state, name, row.asset)
        yield bench.find(
            verdict.kind,
            ASSET,
            canonical_id=state.asset_id,
            native_id=row.native_id,
            field=name,
            expected=as_text(expected[name]),
            found=as_text(found[name]),
            owner=_owner(bench, state, name),
            cause=verdict.cause,
            remedy=verdict.remedy,
            amount=money_difference(expected[name], found[name]),
            effects=moved if name == carrier else (),
        )


def _contradicting(bench: Bench, state: AssetState, row: Observed) -> Iterator[Finding]:
    """A thing that is gone and still in the books, or out of the books and still in use.

    Each side is right about its own field, so no field differs; the audit's question is the two together.
    """
    fields, held = state.fields, row.asset or AssetFields()
    physical, financial = fields.physical_status, fields.financial_status
    if bench.scope.role(bench.system) == ERP:
        is_found = held.financial_status is FinancialStatus.RUNNING and physical in GONE
        kind, expected, found = DriftKind.GHOST, as_text(physical), as_text(held.financial_status)
        cause = "gone by the word of asset management, and still in the books"
    else:
        # A closed book alone is no disposal: it may be fully depreciated.
        is_disposed = financial is FinancialStatus.CLOSED and fields.disposal_date is not None
        is_found = held.physical_status in IN_USE and is_disposed
        kind, expected, found = DriftKind.ZOMBIE, as_text(financial), as_text(held.physical_status)
        cause = "disposed of in the books, and still in use"
    if not is_found:
        return
    cost = fields.acquisition_cost
    yield bench.find(
        kind,
        ASSET,
        canonical_id=state.asset_id,
        native_id=row.native_id,
        expected=expected,
        found=found,
        cause=f"{cause}{_audited(bench, state)}",
        remedy=Remedy.PERSON,
        amount=(cost.amount, cost.currency) if cost else None,
    )


def _audited(bench: Bench, state: AssetState) -> str:
    """What the last physical audit said of the thing, to end a cause with; nothing where none did."""
    last = bench.evidence.audits.get(state.asset_id)
    if last is None:
        return ""
    where = f" at {last.fields.location}" if last.fields.location else ""
    said = "saw it" if last.fields.result is AuditResult.VERIFIED else "did not find it"
    return f"; the audit of {last.fields.audited_on} {said}{where}"


def _verdict(bench: Bench, state: AssetState, name: str, held: AssetFields) -> Verdict:
    if not bench.scope.may_write(state, bench.system, name):
        return MISSED
    entry = bench.evidence.delivery(bench.system, ASSET, state.asset_id)
    own = bench.scope.ownership.owner_of(name) == bench.scope.role(bench.system)
    if own and entry is not None and is_touched(entry, held):
        # The owner of the field changed the record after our write: its word is never overwritten (Invariant 9).
        return MISSED
    seen = f"{state.asset_id}|{name}|{bench.system}" in bench.evidence.conflicts
    return judge(entry, state.version, held, foreign_edit_seen=seen)


def _owner(bench: Bench, state: AssetState, name: str) -> str:
    role = bench.scope.ownership.owner_of(name)
    if bench.scope.role(bench.system) == role:
        return bench.system
    sayer = state.said_by.get(name)
    return sayer if sayer is not None and bench.scope.role(sayer) == role else role


def _surplus(bench: Bench, row: Observed) -> Finding:
    fields = row.asset or AssetFields()
    xref = bench.asset_links.of_native(row.native_id)
    cost = fields.acquisition_cost if "acquisition_cost" in bench.fields else None
    known = xref.canonical_id if xref is not None and xref.status is LinkStatus.LINKED else row.hub_ref
    second = xref is not None and xref.status is LinkStatus.LINKED and xref.canonical_id in bench.native_of
    return bench.find(
        DriftKind.DUPLICATE if second else DriftKind.EXTRA,
        ASSET,
        native_id=row.native_id,
        found=describe(fields),
        cause=_why_surplus(bench, xref),
        remedy=Remedy.PERSON,
        amount=(cost.amount, cost.currency) if cost else None,
        effects=bench.unknown_asset_effects(row.native_id, fields),
        hub_ref=known or None,
    )


def _why_surplus(bench: Bench, xref: XRef | None) -> str:
    if xref is None:
        return "unknown to the hub"
    match xref.status:
        case LinkStatus.PROPOSED:
            return f"may be {xref.canonical_id}; a person must confirm the link"
        case LinkStatus.LINKED if xref.canonical_id in bench.native_of:
            return f"second record of {xref.canonical_id}, beside {bench.native_of[xref.canonical_id]}"
        case LinkStatus.LINKED:
            return f"linked to {xref.canonical_id}, which the hub has not accepted"
        case _:
            return f"its link to {xref.canonical_id} was retired"


def unreadable_record(
    bench: Bench,
    row: Observed,
    entity: str,
    canonical_id: str | None,
    *,
    effects: Effects = (),
    state_key: str | None = None,
) -> Finding:
    """The finding for a record that is there but cannot be mapped."""
    return bench.find(
        DriftKind.MISMATCH,
        entity,
        canonical_id=canonical_id,
        native_id=row.native_id,
        field="record",
        expected="a record that can be read",
        found="unreadable",
        cause=row.unreadable or "unreadable",
        remedy=Remedy.PERSON,
        effects=effects,
        state_key=state_key,
    )


def describe(fields: AssetFields) -> str:
    """A line by which a person recognises the asset."""
    cost = as_text(fields.acquisition_cost)
    return ", ".join(part for part in (fields.asset_number, fields.tag, fields.description, cost) if part) or "(blank)"


def money_difference(expected: object, found: object) -> tuple[Decimal, str] | None:
    """Found minus expected, where both are money of one currency."""
    if isinstance(expected, Money) and isinstance(found, Money) and expected.currency == found.currency:
        return found.amount - expected.amount, found.currency
    return None
