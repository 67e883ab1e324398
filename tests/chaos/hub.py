"""The hub under test: a landscape of two systems, its processes, its topics with few partitions. Light to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from tieline.kernel.declarations import Topic, topics_for
from tieline.kernel.landscape import Landscape

PARTITIONS = 3
"""Of a topic that is used; of the others, one. Keys have to share partitions here, and each costs three brokers."""
USED = (
    "asset.asset.",
    "asset.book.",
    "cost.document.",
    "hub.identified.",
    "hub.xref.",
    "hub.delivery-ledger.",
    "sink.",
)
ERP, WORKS = "ledger", "unio24"
LEDGER_MODULE = "tieline.connectors.ledger.connector"
PROCESSORS = ("identify", "accept", "route")
SINKS = (f"sink-{WORKS}", f"sink-{ERP}")
SOURCE = f"source-{WORKS}"
"""Reads back what the hub wrote: an asset counts as known to a system when that system has said so itself."""
PROCESSES = (*PROCESSORS, *SINKS, SOURCE)
PROFILE = Path(__file__).parents[2] / "deploy" / "local" / "unio24.profile.yaml"
_FLOWS = (("asset", ERP, WORKS), ("book", ERP, WORKS), ("cost-document", WORKS, ERP))


def declared_small(landscape: Landscape) -> Sequence[Topic]:
    """The topics as declared, but with few partitions each."""
    return [
        replace(topic, partitions=min(topic.partitions, PARTITIONS if topic.name.startswith(USED) else 1))
        for topic in topics_for(landscape)
    ]


def write_landscape(folder: Path, *, bootstrap: str, registry: str, works: str, token: str, ledger: str) -> Path:
    """The landscape file of the hub; clients reach Kafka at ``bootstrap``, the systems at their URLs."""
    (folder / "token").write_text(token, encoding="utf-8")
    common = {"owner": "chaos@example.org", "poll_interval_secs": 1}
    described = {
        "name": "Chaos",
        "kafka": {"bootstrap_servers": bootstrap, "replication_factor": 3},
        "registry": {"url": registry},
        "systems": {
            ERP: {**common, "connector": "ledger", "role": "erp", "settings": {"endpoint": ledger}},
            WORKS: {
                **common,
                "connector": "unio24",
                "role": "asset-management",
                "settings": {
                    "endpoint": works,
                    "profile": {"path": str(PROFILE)},
                    "token": {"secret": f"file:{folder}/token"},
                },
            },
        },
        "flows": [
            {
                "object": kind,
                "source": source,
                "target": target,
                "interval_mins": 5,
                "latency_target_secs": 3600,
                "owner": "chaos@example.org",
                "on_error": "hold",
                "mode": "enabled",
            }
            for kind, source, target in _FLOWS
        ],
        "fiscal": {"periods": "optional", "late": "next-open"},
        "metrics_port": 0,
    }
    path = folder / "landscape.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path
