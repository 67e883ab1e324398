"""What a run found: tables for people, JSON for machines. The same result always gives the same text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tieline.kernel.memory import Drift, DriftKind, RunFinished
from tieline.reconciliation.compare import Comparison
from tieline.reconciliation.findings import ZERO, amount_text
from tieline.reconciliation.ledger import LedgerCheck
from tieline.reconciliation.repair import Plan
from tieline.reconciliation.running import Result
from tieline.reconciliation.schedules import ScheduleCheck
from tieline.reconciliation.totals import Total

CLEAN, DRIFT, REFUSED, INCONCLUSIVE = 0, 1, 2, 3
_SCHEDULES = "Schedules that are not the reference, for the accountant"
MAX_ROWS = 200  # for people; JSON has every row


def exit_code(result: Result) -> int:
    """0 clean, 1 drift (or a total that does not tie), 3 inconclusive."""
    if result.comparison is None:
        return INCONCLUSIVE
    return DRIFT if result.comparison.drifts or result.comparison.unexplained else CLEAN


def as_json(result: Result) -> str:
    """The whole result as JSON; amounts are texts, so that no reader makes floats of them."""
    comparison = result.comparison
    document: dict[str, object] = {"run": result.finished.model_dump(mode="json"), "reason": result.reason}
    if comparison is not None and result.evidence is not None:
        document["systems"] = {
            name: answer.model_dump(mode="json", include={"counts", "began", "reported", "finished_at"})
            for name, answer in sorted(result.evidence.systems.items())
        }
        document["closing_cut"] = dict(sorted(result.evidence.closing.items()))
        document["totals"] = [_total_json(total) for total in comparison.totals]
        document["ledgers"] = [_ledger_json(check) for check in comparison.ledgers]
        document["schedule_checks"] = [asdict(check) for check in comparison.schedule_checks]
        document["schedules"] = [finding.drift.model_dump(mode="json") for finding in comparison.schedules]
        document["drifts"] = [finding.drift.model_dump(mode="json") for finding in comparison.drifts]
        document["in_flight"] = [finding.drift.model_dump(mode="json") for finding in comparison.in_flight]
    return _dump(document)


def last_as_json(finished: RunFinished | None, drifts: Sequence[Drift]) -> str:
    """The last recorded run as JSON."""
    run = finished.model_dump(mode="json") if finished else None
    return _dump({"run": run, "open": [drift.model_dump(mode="json") for drift in drifts]})


def plan_as_json(plan: Plan, *, sent: int = 0, refused: str | None = None) -> str:
    """A repair plan as JSON, with the number of commands sent, or why none were."""
    steps = [
        {
            "action": step.action,
            "system": step.system,
            "entity": step.entity,
            "record": step.record_id,
            "note": step.note,
            "changes": [{"field": c.field, "before": c.before, "after": c.after} for c in step.changes],
            "commands": [command.dispatch.command_id for command in step.commands],
        }
        for step in plan.steps
    ]
    head = {"run_id": plan.run_id, "plan_hash": plan.plan_hash, "keys": len(plan.keys)}
    return _dump({**head, "steps": steps, "sent": sent, "refused": refused})


def show_result(console: Console, result: Result) -> None:
    """Print a run for people."""
    comparison = result.comparison
    if comparison is None:
        console.print(Text(f"Inconclusive: {result.reason}", style="bold yellow"))
        console.print("Nothing was concluded, and the open differences stay as they were.")
        return
    parts: list[RenderableType] = [_headline(result.finished, comparison), _totals_table(comparison.totals)]
    if comparison.ledgers:
        parts.append(_ledger_table(comparison.ledgers))
    parts += [Text(_schedule_line(check)) for check in comparison.schedule_checks]
    for title, findings in (
        ("Drift", comparison.drifts),
        ("Under way, not drift", comparison.in_flight),
        (_SCHEDULES, comparison.schedules),
    ):
        if findings:
            parts.append(_drift_table(title, [finding.drift for finding in findings]))
    console.print(Group(*parts))


def show_last(console: Console, finished: RunFinished | None, drifts: Sequence[Drift]) -> None:
    """Print the last recorded run for people."""
    if finished is None:
        console.print("No run has finished yet; start one with: tieline reconcile run")
        return
    ended = finished.finished_at.isoformat(timespec="seconds")
    if finished.conclusive:
        console.print(f"Run {finished.run_id} ended {ended}: {_summary(finished)}")
    else:
        console.print(f"Run {finished.run_id} ended {ended} inconclusive; what is listed is from runs before it")
    apart = {DriftKind.IN_FLIGHT: "Under way, not drift", DriftKind.SCHEDULE: _SCHEDULES}
    groups = {"Drift open now": [drift for drift in drifts if drift.kind not in apart]}
    groups |= {title: [drift for drift in drifts if drift.kind is kind] for kind, title in apart.items()}
    for title, rows in groups.items():
        if rows:
            console.print(_drift_table(title, rows))


def show_plan(console: Console, plan: Plan) -> None:
    """Print a repair plan: before and after of every value, then the plan's hash."""
    if not plan.steps:
        console.print("Nothing to repair.")
        return
    table = _table("Repair plan", "action", "system", "record", "field", "before", "after", "why")
    for step in plan.steps:
        for place, change in enumerate(step.changes):
            first = place == 0
            table.add_row(
                Text(step.action if first else "", style="bold"),
                step.system if first else "",
                Text(f"{step.entity} {step.record_id}" if first else ""),
                change.field or "(record)",
                _cell(change.before),
                _cell(change.after),
                Text(step.note if first else ""),
            )
    console.print(table)
    console.print(f"{len(plan.keys)} keys would be written. Plan hash: {plan.plan_hash}", highlight=False)


def _headline(finished: RunFinished, comparison: Comparison) -> Text:
    clean = not comparison.drifts and not comparison.unexplained
    line = f"Run {finished.run_id}: {_summary(finished)}"
    if comparison.unexplained:
        line += f"; {len(comparison.unexplained)} control totals do not tie: a fault of the comparison, report it"
    return Text(line, style="bold green" if clean else "bold red")


def _summary(finished: RunFinished) -> str:
    return (
        f"{finished.compared} records compared, {finished.drifts} differences, {finished.in_flight} under way, "
        f"{finished.consistency_percent} % consistent"
    )


def _totals_table(totals: Sequence[Total]) -> Table:
    table = _table("Control totals")
    table.padding = (0, 1, 0, 0)  # six columns with amounts of millions fit into 80 characters
    table.add_column("system", no_wrap=True)
    table.add_column("what", min_width=20)
    table.add_column("books", no_wrap=True)
    # An amount broken over two lines cannot be read, and one cut short would be a lie.
    for column in ("hub", "held there", "unexplained"):
        table.add_column(column, justify="right", no_wrap=True)
    for total in totals:
        tied = not total.unexplained and not total.unexplained_count
        table.add_row(
            total.system,
            f"{total.system_count} {total.entity}: {total.measure}",
            f"{total.company} {total.currency}",
            amount_text(total.hub),
            amount_text(total.held),
            Text(amount_text(total.unexplained), style="green" if tied else "bold red"),
        )
    return table


def _drift_table(title: str, drifts: Sequence[Drift]) -> Table:
    shown = title if len(drifts) <= MAX_ROWS else f"{title} (first {MAX_ROWS} of {len(drifts)}; --json has all)"
    table = _table(shown, "kind", "system", "record", "field", "hub", "system holds", "difference", "cause")
    for drift in drifts[:MAX_ROWS]:
        record = f"{drift.entity} {drift.canonical_id or '-'} ({drift.native_id or 'no record'})"
        amount = f"{drift.amount} {drift.currency}" if drift.amount else ""
        table.add_row(
            drift.kind.value,
            drift.system,
            Text(record),
            drift.field or "",
            _cell(drift.expected),
            _cell(drift.found),
            amount,
            Text(drift.cause or ""),
        )
    return table


def _ledger_table(checks: Sequence[LedgerCheck]) -> Table:
    table = _table("Control accounts", "system", "company", "account", "what")
    for column in ("subledger", "ledger", "gap"):
        table.add_column(column, justify="right", no_wrap=True)
    for check in checks:
        where = (check.system, _cell(check.company or None), _cell(check.account or None))
        if check.gap is None:
            # Said in words: an empty cell would read as equal.
            table.add_row(*where, Text(f"not compared: {check.not_compared}", style="yellow"), "-", "-", "-")
            continue
        figures = [f"{amount_text(each)} {check.currency}" for each in (check.subledger or ZERO, check.ledger or ZERO)]
        what = f"{check.measure}, {check.records} records"
        table.add_row(*where, what, *figures, Text(amount_text(check.gap), style="bold red" if check.gap else ""))
    return table


def _schedule_line(check: ScheduleCheck) -> str:
    left_out = f"; {check.left_out} cannot be computed" if check.left_out else ""
    return f"{check.system}: {check.compared} schedules compared with the reference{left_out}"


def _ledger_json(check: LedgerCheck) -> Mapping[str, object]:
    figures = {"subledger": check.subledger, "ledger": check.ledger, "gap": check.gap}
    return {**asdict(check), **{name: None if value is None else amount_text(value) for name, value in figures.items()}}


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cell(value: str | None) -> Text:
    # Text, never markup: what a system holds must not be able to style or hide a line.
    return Text("-" if value is None else value)


def _total_json(total: Total) -> Mapping[str, object]:
    return {
        "system": total.system,
        "entity": total.entity,
        "measure": total.measure,
        "company": total.company,
        "currency": total.currency,
        "hub": {"count": total.hub_count, "amount": amount_text(total.hub)},
        "held": {"count": total.system_count, "amount": amount_text(total.held)},
        "difference": amount_text(total.difference),
        "explained": amount_text(total.explained),
        "unexplained": amount_text(total.unexplained),
        "unexplained_count": total.unexplained_count,
    }


def _dump(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
