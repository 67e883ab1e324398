"""Which dates of an asset report an ERP would post on: its coming into service, its disposal. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from tieline.kernel.asset_records import AssetReport, AssetState
from tieline.kernel.ownership import ERP, expects_asset
from tieline.processors.merging import Merged, name_event


def dates_to_post(
    old: AssetState | None, merged: Merged, report: AssetReport, erps: Collection[str]
) -> list[tuple[str, dt.date]]:
    """Field and date of what the report would bring to one of ``erps``; the disposal last, empty for nothing.

    A date counts that the report changes, or that was known before and reaches the books only now, because the asset
    had no cost or class until then. A date that an ERP said itself, or whose change was refused, is no posting.
    """
    if not erps or (old is not None and not merged.changed):
        return []
    new = _after(old, merged)
    if not _in_books(new, erps):
        return []
    first = old is None or not _in_books(old, erps)
    recorded_on = report.origin.recorded_at.date()
    name, effective = name_event(old, new, merged.changed, recorded_on)
    found: list[tuple[str, dt.date]] = []
    for field in ("in_service_date", "disposal_date"):
        day = getattr(merged.fields, field)
        if day is not None and merged.said_by.get(field) not in erps and (first or field in merged.changed):
            found.append((field, day))
    if name == "AssetPlacedInService" and merged.fields.in_service_date is None:
        found.insert(0, ("physical_status", effective))
    return found


def _after(old: AssetState | None, merged: Merged) -> AssetState:
    return AssetState(
        asset_id=old.asset_id if old else "new",
        version=old.version if old else 0,
        fields=merged.fields,
        said_by=merged.said_by,
        links=merged.links,
    )


def _in_books(state: AssetState, erps: Collection[str]) -> bool:
    """Whether an ERP has the asset, or route would have it made there."""
    return any(erp in state.links for erp in erps) or expects_asset(state, ERP)
