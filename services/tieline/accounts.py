"""Which part of a system's account a process has: by its connector's manifest, and by the landscape."""

from __future__ import annotations

from importlib import resources

from pydantic import ValidationError

from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.quotas import Allowance, Caller, Quota, allowance_of, combine
from tieline.kernel.yaml_reading import load_yaml


def quota_of(landscape: Landscape, system: str) -> Quota | None:
    """What the account of a system may be called; None: not limited. Raises ``Stop`` where the two do not fit."""
    found = landscape.systems[system]
    file = resources.files("tieline.connectors").joinpath(found.connector, "manifest.yaml")
    said = load_yaml(file.read_text(encoding="utf-8")).get("quota") if file.is_file() else None
    try:
        return combine(None if said is None else Quota.model_validate(said), found.quota)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise Stop(f"systems.{system}.quota: with what the manifest of {found.connector} says: {reason}") from None


def part_of(landscape: Landscape, system: str, caller: Caller) -> Allowance | None:
    """The part of one process; None: not limited. Raises ``Stop`` for a process that has none."""
    quota = quota_of(landscape, system)
    if quota is None:
        return None
    part = allowance_of(quota, caller)
    if part.is_nothing:
        raise Stop(f"systems.{system}.quota.shares: {caller} has none, so it may not call; give it one")
    return part
