"""What ``tieline reconcile`` does, as plain functions: each prints through the console and returns the exit code.

0 clean (or applied), 1 drift, 2 refused, 3 inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from tieline.kernel.errors import Stop
from tieline.reconciliation.cut import Log
from tieline.reconciliation.repair import MAX_KEYS, Plan, check_plan, make_plan, to_records
from tieline.reconciliation.report import (
    CLEAN,
    DRIFT,
    INCONCLUSIVE,
    REFUSED,
    as_json,
    exit_code,
    last_as_json,
    plan_as_json,
    show_last,
    show_plan,
    show_result,
)
from tieline.reconciliation.running import Hub, Result, last_run, reconcile


def run(hub: Hub, console: Console, *, systems: Sequence[str] = (), schedules: bool = True, json: bool = False) -> int:
    """Read every system back, compare, record and print the outcome; ``schedules`` adds the ERPs' own schedules."""
    hub = hub if schedules else replace(hub, dialects={})
    result = reconcile(_talking(hub, console, json=json), systems)
    _show(console, result, json=json)
    return exit_code(result)


def report(log: Log, console: Console, *, json: bool = False) -> int:
    """Print the last recorded run and what is open; starts nothing."""
    finished, drifts = last_run(log)
    if json:
        _print_json(console, last_as_json(finished, drifts))
    else:
        show_last(console, finished, drifts)
    if finished is None or not finished.conclusive:
        return INCONCLUSIVE
    return DRIFT if finished.drifts else CLEAN


def repair(
    hub: Hub,
    console: Console,
    *,
    apply: bool = False,
    plan_hash: str | None = None,
    allow_removal: bool = False,
    systems: Sequence[str] = (),
    json: bool = False,
    max_keys: int = MAX_KEYS,
) -> int:
    """Run, then show the repair plan; with ``apply`` and the hash of a plan that was looked at, send its commands.

    A plan is always made from a new run, so that nothing is repaired that has mended itself meanwhile.
    """
    if apply and not plan_hash:
        console.print("Refused: --apply needs --plan-hash; look at the plan first (without --apply)", style="bold red")
        return REFUSED
    # Nothing in a schedule is ever repaired here.
    hub = replace(_talking(hub, console, json=json), dialects={})
    result = reconcile(hub, systems)
    if result.comparison is None or result.evidence is None:
        _show(console, result, json=json)
        return exit_code(result)
    plan = make_plan(result.comparison, result.evidence, hub.scope(), allow_removal=allow_removal)
    if not json:
        show_plan(console, plan)
    sent, refused = 0, None
    if apply and plan_hash is not None:
        sent, refused = _apply(hub, plan, plan_hash, max_keys)
    if json:
        _print_json(console, plan_as_json(plan, sent=sent, refused=refused))
    elif refused is not None:
        console.print(f"Refused: {refused}", style="bold red", markup=False, highlight=False)
    elif apply:
        console.print(f"{sent} commands were sent; run again to see their effect.")
    if refused is not None:
        return REFUSED
    return CLEAN if apply else exit_code(result)


def _apply(hub: Hub, plan: Plan, plan_hash: str, max_keys: int) -> tuple[int, str | None]:
    """Number of commands sent, and why none were."""
    try:
        check_plan(plan, plan_hash, max_keys=max_keys)
    except Stop as refusal:
        return 0, str(refusal)
    records = to_records(plan)
    if records:
        hub.publish(records)
    return len(records), None


def _talking(hub: Hub, console: Console, *, json: bool) -> Hub:
    return hub if json else replace(hub, say=lambda text: console.print(text, style="dim", markup=False))


def _show(console: Console, result: Result, *, json: bool) -> None:
    if json:
        _print_json(console, as_json(result))
    else:
        show_result(console, result)


def _print_json(console: Console, text: str) -> None:
    # Plain: rich would wrap and colour it, and what follows in a pipe must parse.
    console.file.write(f"{text}\n")
