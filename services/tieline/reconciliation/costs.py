"""Cost documents: each settled once at its origin, posted once at each target, with the same sum."""

from __future__ import annotations

from collections.abc import Iterator

from tieline.kernel.cost_postings import sums_by_receiver
from tieline.kernel.cost_records import CostFields, CostState
from tieline.kernel.memory import DriftKind, Observed
from tieline.reconciliation.assets import unreadable_record
from tieline.reconciliation.bench import Bench
from tieline.reconciliation.deliveries import MISSED, Verdict, judge, judge_absence
from tieline.reconciliation.evidence import COST
from tieline.reconciliation.findings import Finding, Remedy, as_text, cost_effects, negated

VALUES = ("company", "currency", "total", "cost_centre", "receivers")
TOTAL_CARRIERS = ("total", "currency", "company")


def compare_costs(bench: Bench) -> Iterator[Finding]:
    """Differences of the system's cost documents: missing, different, posted twice, made by hand."""
    by_reference: dict[str, list[str]] = {}
    for native, row in bench.costs.items():
        if row.hub_ref:
            by_reference.setdefault(row.hub_ref, []).append(native)
    taken: dict[str, str] = {}
    for cost_id, placed in bench.evidence.costs.items():
        state = placed.row
        if not bench.cost_in_scope(state):
            continue
        natives = _natives(bench, state, by_reference.get(cost_id, []))
        present = [native for native in natives if native in bench.costs and native not in taken]
        if not present:
            yield _absent(bench, state, natives)
            continue
        taken[present[0]] = cost_id
        yield from _differing(bench, state, bench.costs[present[0]])
        for native in present[1:]:
            taken[native] = cost_id
            yield _surplus(bench, bench.costs[native], f"posted a second time, beside {present[0]}", cost_id)
    for native, row in bench.costs.items():
        if native not in taken:
            yield _surplus(bench, row, _why_unknown(bench, row), None)


def _natives(bench: Bench, state: CostState, referring: list[str]) -> list[str]:
    """Records that may be this document: the origin's own, those linked, those that carry its id; each once."""
    own = [state.origin_native_id] if state.origin_system == bench.system else []
    return list(dict.fromkeys([*own, *bench.cost_links.natives(state.cost_doc_id), *sorted(referring)]))


def _absent(bench: Bench, state: CostState, natives: list[str]) -> Finding:
    effects = negated(cost_effects(state.fields))
    unreadable = bench.blind(COST, natives)
    if unreadable is not None:
        return unreadable_record(bench, unreadable, COST, state.cost_doc_id, effects=effects)
    own = state.origin_system == bench.system
    entry = bench.evidence.delivery(bench.system, COST, state.cost_doc_id)
    return bench.find(
        DriftKind.MISSING,
        COST,
        canonical_id=state.cost_doc_id,
        native_id=natives[0] if natives else None,
        expected=_describe(state.fields),
        cause=judge_absence(entry, linked=bool(natives)),
        remedy=Remedy.PERSON if own else Remedy.WRITE,
        amount=(-state.fields.total, state.fields.currency),
        effects=effects,
    )


def _differing(bench: Bench, state: CostState, row: Observed) -> Iterator[Finding]:
    held = row.cost_document
    if held is None:
        return
    names = [name for name in VALUES if _value(held, name) != _value(state.fields, name)]
    if len(names) > 1 and "receivers" in names:
        names.remove("receivers")  # what another total or cost centre explains
    if not names:
        return
    verdict = _verdict(bench, state, held)
    moved = (*cost_effects(held), *negated(cost_effects(state.fields)))
    carrier = next((name for name in TOTAL_CARRIERS if name in names), None)
    for name in names:
        same_currency = name == "total" and held.currency == state.fields.currency
        yield bench.find(
            verdict.kind,
            COST,
            canonical_id=state.cost_doc_id,
            native_id=row.native_id,
            field=name,
            expected=_value(state.fields, name),
            found=_value(held, name),
            owner=state.origin_system,
            cause=verdict.cause,
            remedy=verdict.remedy,
            amount=(held.total - state.fields.total, held.currency) if same_currency else None,
            effects=moved if name == carrier else (),
        )


def _value(fields: CostFields, name: str) -> str | None:
    """A value as text; of the receivers what each of them bears in all."""
    if name != "receivers":
        return as_text(getattr(fields, name))
    return ", ".join(f"{kind} {code}: {as_text(amount)}" for (kind, code), amount in sums_by_receiver(fields).items())


def _verdict(bench: Bench, state: CostState, held: CostFields) -> Verdict:
    if state.origin_system == bench.system:
        return MISSED
    entry = bench.evidence.delivery(bench.system, COST, state.cost_doc_id)
    verdict = judge(entry, state.version, held, foreign_edit_seen=False)
    # A posted document is never overwritten: a person reverses it and has it posted again.
    return Verdict(verdict.kind, verdict.cause, Remedy.PERSON)


def _surplus(bench: Bench, row: Observed, cause: str, cost_id: str | None) -> Finding:
    fields = row.cost_document
    own = not bench.scope.receives(COST, bench.system)
    return bench.find(
        DriftKind.DUPLICATE if cost_id is not None else DriftKind.EXTRA,
        COST,
        native_id=row.native_id,
        found=_describe(fields) if fields else None,
        cause=cause,
        remedy=Remedy.RE_READ if own and cost_id is None else Remedy.PERSON,
        amount=(fields.total, fields.currency) if fields else None,
        effects=cost_effects(fields) if fields else (),
        hub_ref=cost_id or row.hub_ref or None,
    )


def _why_unknown(bench: Bench, row: Observed) -> str:
    xref = bench.cost_links.of_native(row.native_id)
    if xref is not None:
        return f"linked to {xref.canonical_id}, which the hub does not expect here"
    if row.hub_ref:
        return f"says it is {row.hub_ref}, which the hub does not know"
    return "made by hand" if bench.scope.receives(COST, bench.system) else "unknown to the hub"


def _describe(fields: CostFields) -> str:
    return f"work order {fields.work_order}, {as_text(fields.total)} {fields.currency}, {fields.cost_centre}"
