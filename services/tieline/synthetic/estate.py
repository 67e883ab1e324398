"""The landscape of the synthetic organisation: the part of the estate that the year depends on, as a YAML file."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from tieline.synthetic.shape import COMPANIES, ERP, WORKS, Company

CLASSES = ("MACHINE", "VEHICLE", "COMPUTER", "FURNITURE")
LIMITS: Mapping[str, tuple[int, int]] = {"EUR": (80_000, 25_000), "USD": (100_000, 30_000), "JPY": (100_000, 30_000)}
"""From how many minor units of a unit's cost up the books capitalise, and treat as low-value; below is expense."""
_FLOWS = (
    ("asset", WORKS, ERP),
    ("asset", ERP, WORKS),
    ("book", ERP, WORKS),
    ("purchase-order", ERP, WORKS),
    ("cost-document", WORKS, ERP),
)
_HEAD = """\
# The landscape of a synthetic organisation, written by `tieline synthetic write`. Kafka and the registry are those of
# the local stack. The reports are published by `tieline synthetic send`, so no source reads these systems; their
# settings are there to be replaced by your own when you try a sink.
"""


def class_of(company: Company, name: str) -> str:
    """A company's own asset class: a capitalisation limit is in one currency."""
    return f"{name}-{company.code}"


def landscape_text() -> str:
    """The YAML file."""
    return _HEAD + yaml.safe_dump(_landscape(), sort_keys=False)


def _landscape() -> dict[str, object]:
    return {
        "name": "The synthetic organisation",
        "kafka": {"bootstrap_servers": "127.0.0.1:9092", "replication_factor": 1},
        "registry": {"url": "http://127.0.0.1:8081/apis/ccompat/v7"},
        "systems": {ERP: _erp(), WORKS: _works()},
        "flows": [
            {
                "object": kind,
                "source": source,
                "target": target,
                "interval_mins": 5,
                "latency_target_secs": 60,
                "owner": "synthetic@example.org",
                "on_error": "hold",
                "mode": "enabled",
            }
            for kind, source, target in _FLOWS
        ],
        "capitalisation": {"explode_up_to_units": 10, "rules": [rule for one in COMPANIES for rule in _rules(one)]},
        "fiscal": {
            "calendars": {
                "april-to-march": {"kind": "months", "start_month": 4, "named_after": "start"},
                "weeks-445": {
                    "kind": "weeks",
                    "pattern": "4-4-5",
                    "last_weekday": "saturday",
                    "last_month": 12,
                    "year_end": "last",
                },
            },
            "companies": {one.code: {"calendar": one.calendar} for one in COMPANIES},
            "late": "next-open",
            "periods": "required",
            "max_held": 100_000,
        },
    }


def _rules(company: Company) -> list[dict[str, object]]:
    capitalise, low_value = LIMITS[company.currency]
    rules: list[dict[str, object]] = []
    for name in CLASSES:
        asset_class = class_of(company, name)
        for label, limit, treatment in (("asset", capitalise, "CAPITALISE"), ("low value", low_value, "LOW_VALUE")):
            amount = {"threshold": str(company.amount(limit)), "currency": company.currency}
            rules.append({"name": f"{asset_class} {label}", "asset_class": asset_class, **amount})
            rules[-1]["treatment"] = treatment
        rules.append({"name": f"{asset_class} expense", "asset_class": asset_class, "treatment": "EXPENSE"})
    return rules


def _erp() -> dict[str, object]:
    classes = {class_of(one, name): {"product": class_of(one, name)} for one in COMPANIES for name in CLASSES}
    return {
        "connector": "tryton",
        "role": "erp",
        "owner": "finance@example.org",
        "poll_interval_secs": 60,
        "settings": {
            "endpoint": "http://127.0.0.1:8000",
            "database": "synthetic",
            "user": "tieline",
            "password": {"secret": "env:TIELINE_SYNTHETIC_ERP_PASSWORD"},
            "company": COMPANIES[0].code,
            "asset_classes": classes,
        },
    }


def _works() -> dict[str, object]:
    return {
        "connector": "unio24",
        "role": "asset-management",
        "owner": "works@example.org",
        "poll_interval_secs": 60,
        "settings": {
            "endpoint": "http://127.0.0.1:8024",
            "profile": {"path": "unio24.profile.yaml"},
            "token": {"secret": "env:TIELINE_SYNTHETIC_WORKS_TOKEN"},
        },
    }
