"""What a flow may do with what waits behind a failure, and what the landscape refuses because money is at stake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tieline.kernel.error_policies import OnError, policies_of
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape, load_landscape


def landscape(tmp_path: Path, *flows: tuple[str, str, str, str], **more: object) -> Landscape:
    """Of flows given as object, source, target, policy; read from a file, as ``tieline check`` does."""
    system = {"owner": "works", "poll_interval_secs": 1, "settings": {}}
    terms = {"interval_mins": 1, "latency_target_secs": 60, "owner": "works", "mode": "enabled"}
    document: dict[str, Any] = {
        "name": "policies",
        "kafka": {"bootstrap_servers": "memory:1"},
        "registry": {"url": "http://127.0.0.1:1"},
        "systems": {
            "am": system | {"connector": "unio24", "role": "asset-management"},
            "am2": system | {"connector": "unio24", "role": "asset-management"},
            "erp": system | {"connector": "tryton", "role": "erp"},
        },
        "flows": [
            terms | {"object": kind, "source": source, "target": target, "on_error": policy}
            for kind, source, target, policy in flows
        ],
        **more,
    }
    path = tmp_path / "landscape.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return load_landscape(path, environ={})


@pytest.mark.parametrize(
    ("kind", "source", "target", "policy"),
    [
        ("asset", "am", "erp", "hold"),
        ("asset", "am", "erp", "skip-if-newer"),
        ("book", "erp", "am", "skip-if-newer"),
        ("book", "erp", "am", "continue"),
        ("cost-document", "am", "erp", "hold"),
        ("purchase-order", "erp", "am", "hold"),
    ],
)
def test_whole_records_may_be_replaced_and_everything_may_be_held(
    tmp_path: Path, kind: str, source: str, target: str, policy: str
) -> None:
    found = landscape(tmp_path, (kind, source, target, policy))
    assert policies_of(found.flows) == {kind: OnError(policy)}


@pytest.mark.parametrize("policy", ["skip-if-newer", "continue"])
def test_a_posting_is_never_passed_over_and_never_overtaken(tmp_path: Path, policy: str) -> None:
    with pytest.raises(Stop, match=r"landscape.yaml:\d+: flows.0.on_error: .*a posting, not a state"):
        landscape(tmp_path, ("cost-document", "am", "erp", policy))


@pytest.mark.parametrize("policy", ["skip-if-newer", "continue"])
def test_an_order_follows_the_policy_of_the_assets_it_buys(tmp_path: Path, policy: str) -> None:
    with pytest.raises(Stop, match="on_error of their flow decides"):
        landscape(tmp_path, ("purchase-order", "erp", "am", policy))


def test_a_write_of_an_asset_is_not_overtaken_by_one_with_fewer_fields(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="its cost for one, would never arrive; say skip-if-newer"):
        landscape(tmp_path, ("asset", "am", "erp", "continue"))


def test_flows_of_one_object_into_one_target_agree(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"flows.1.on_error: .*another of the same object into erp hold"):
        landscape(tmp_path, ("asset", "am", "erp", "hold"), ("asset", "am2", "erp", "skip-if-newer"))
    landscape(tmp_path, ("asset", "am", "erp", "hold"), ("asset", "erp", "am", "skip-if-newer"))


def test_no_other_policy_is_known(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="'hold', 'skip-if-newer' or 'continue'"):
        landscape(tmp_path, ("asset", "am", "erp", "drop"))


@pytest.mark.parametrize("unused", ["per: line", "at_limit: excluded"])
def test_what_a_rule_says_of_a_threshold_that_it_does_not_have_is_refused(tmp_path: Path, unused: str) -> None:
    key, value = unused.split(": ")
    rules = [{"name": "all", "treatment": "CAPITALISE", key: value}]
    with pytest.raises(Stop, match=rf"landscape.yaml:\d+: capitalisation.rules.0: .*{key} says nothing without a thr"):
        landscape(tmp_path, ("asset", "am", "erp", "hold"), capitalisation={"rules": rules})
