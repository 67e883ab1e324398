"""Manifests: closed, complete, and the tier that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tieline.kernel.clauses import CLAUSES, Tier, missing_clauses, tier_of
from tieline.kernel.errors import Stop
from tieline.kernel.manifests import Manifest, connector_folders, read_manifest

CERTIFIED_BY = next(name for name, clause in CLAUSES.items() if clause.tier is Tier.CERTIFIED)
WHY = "the vendor's interface has nothing of the kind"


def document() -> dict[str, Any]:
    """A manifest that is complete."""
    return {
        "name": "acme",
        "title": "Acme",
        "role": "erp",
        "owner": "somebody",
        "api": {"style": "REST", "version": "v1", "contract": "https://api.example.org"},
        "streams": {"assets": {"report": "AssetReport", "read": ["changes", "one", "all"]}},
        "objects": {
            "asset": {
                "directions": ["in", "out"],
                "operations": {"update": {"idempotency": "native-key", "key": "its id"}},
            }
        },
        "webhooks": {"in": False},
        "rules": {"deletions-in-stream": {"status": "exempt", "why": WHY}},
    }


def folder_with(tmp_path: Path, content: object, *, sandbox: bool = True) -> Path:
    folder = tmp_path / "acme"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    if sandbox:
        (folder / "sandbox.py").touch()
    return folder


def test_a_complete_one_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(folder_with(tmp_path, document()))
    assert manifest.writes.keys() == {"asset.update"}
    assert manifest.reads_changes


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]

    return change


def having(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for step in path[:-1]:
            content = content.setdefault(step, {})
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (without("owner"), "owner: Field required"),
        (without("api", "version"), "api.version: Field required"),
        (without("objects", "asset", "operations"), "objects.asset: .*each operation says its idempotency"),
        (without("objects", "asset", "operations", "update", "idempotency"), "update.idempotency: Field required"),
        (having("twice", "objects", "asset", "operations", "update", "idempotency"), "update.idempotency: Input"),
        (having(["out"], "objects", "asset", "directions"), "direction in and operations go together"),
        (having("exempt", "rules", "exact-decimals", "status"), "an exemption says why"),
        (having("too short", "waivers", "C05"), "waivers.C05: .*at least 20"),
        (having(WHY, "waivers", "C5"), r"waivers.C5.\[key\]: "),
        (having("bee", "name"), "name: is 'bee', and its folder 'acme'"),
        (having(1, "misspelt"), "misspelt: Extra inputs"),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_its_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], fault: str
) -> None:
    content = document()
    change(content)
    with pytest.raises(Stop, match=fault) as caught:
        read_manifest(folder_with(tmp_path, content))
    assert str(tmp_path / "acme" / "manifest.yaml") in str(caught.value)


def tier_with(tmp_path: Path, *, sandbox: bool = True, **more: object) -> Tier:
    folder = folder_with(tmp_path, {**document(), **more}, sandbox=sandbox)
    return tier_of(read_manifest(folder), folder)


def test_the_tier_is_the_highest_whose_clauses_are_all_kept(tmp_path: Path) -> None:
    assert tier_with(tmp_path) is Tier.CERTIFIED
    assert tier_with(tmp_path, waivers={CERTIFIED_BY: WHY}) is Tier.TRIED
    assert tier_with(tmp_path, waivers={"C06": WHY}) is Tier.SCAFFOLDED
    assert tier_with(tmp_path, waivers={"C05": WHY}) is Tier.UNTRIED
    assert tier_with(tmp_path, scaffold=True) is Tier.SCAFFOLDED


def test_a_waiver_of_one_operation_leaves_the_tier(tmp_path: Path) -> None:
    assert tier_with(tmp_path, waivers={"C09/asset.update": WHY}) is Tier.CERTIFIED


def test_without_a_sandbox_only_what_its_stand_in_shows_counts(tmp_path: Path) -> None:
    assert tier_with(tmp_path, sandbox=False) is Tier.UNTRIED
    shown = {f"C{number:02}": "tests/x.py::test_it" for number in range(2, 13)}
    assert tier_with(tmp_path, sandbox=False, stand_in={"part": "a real one", "clauses": shown}) is Tier.TRIED


def test_a_clause_that_does_not_speak_of_a_connector_is_not_missed(tmp_path: Path) -> None:
    content = document()
    content["objects"] = {"asset": {"directions": ["out"]}}
    folder = folder_with(tmp_path, content, sandbox=False)
    assert not {"C09", "C10", "C14", "C16", "C13", "C18"} & set(missing_clauses(read_manifest(folder), folder))


def test_the_shipped_fleet_is_found_by_its_folders() -> None:
    assert all((folder / "connector.py").is_file() for folder in connector_folders().values())
    assert all(isinstance(read_manifest(folder), Manifest) for folder in connector_folders().values())
    assert list(connector_folders()) == sorted(connector_folders())
