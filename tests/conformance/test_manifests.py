"""What a connector says of itself: complete, and true of its code."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.conformance.bench import golden_folders
from tests.conformance.fleet import GOLDEN, STANDARD_TRIALS, load_case

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clauses import CLAUSES, EVERYWHERE, applying, is_tried_here, tier_of
from tieline.kernel.manifests import Manifest, connector_folders, read_manifest

ROOT = Path(__file__).parents[2]
FOLDERS = pytest.mark.parametrize("folder", connector_folders().values(), ids=lambda folder: folder.name)


@FOLDERS
def test_c01_the_manifest_is_complete_and_says_what_the_code_does(folder: Path) -> None:
    manifest = read_manifest(folder)
    name = manifest.name
    settings = importlib.import_module(f"tieline.connectors.{name}.settings")
    assert callable(settings.read_settings)
    assert callable(importlib.import_module(f"tieline.connectors.{name}.connector").connect)
    for model in vars(settings).values():
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == settings.__name__:
            for field, info in model.model_fields.items():
                assert info.description, f"{model.__name__}.{field} has no description"
    held = manifest.objects.get("asset")
    assert set(held.fields if held else ()) <= set(AssetFields.model_fields)
    for clause, why in manifest.waivers.items():
        base, _, operation = clause.partition("/")
        assert base in applying(manifest), f"{clause} is waived ({why}) and speaks of no such connector"
        assert not operation or operation in manifest.writes, f"{clause}: there is no such operation"
    assert EVERYWHERE not in manifest.waivers, "this clause holds for everybody"


@FOLDERS
def test_c01_every_operation_and_stream_is_tried_somewhere(folder: Path) -> None:
    manifest = read_manifest(folder)
    if not is_tried_here(manifest, folder):
        assert manifest.stand_in is not None, "without a sandbox it says which real part stands in"
        for clause, test in manifest.stand_in.clauses.items():
            assert clause in applying(manifest), f"stand_in: {clause} does not speak of {manifest.name}"
            assert_there(test)
        return
    assert manifest.stand_in is None, "what has a sandbox needs no stand-in"
    case = load_case(manifest.name, GOLDEN)
    assert case.stream in manifest.streams
    standard = STANDARD_TRIALS if case.fields is not None else ()
    waived = {name.partition("/")[2] for name in manifest.waivers if "/" in name}
    assert {*manifest.writes} == {*case.trials, *waived} | (set(manifest.writes) & set(standard))


def assert_there(test: str) -> None:
    """The test that a stand-in names, as ``file::name``, stands in that file."""
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in names, f"{file} has no {name}"


@FOLDERS
def test_c01_there_are_golden_records_of_both_sorts(folder: Path) -> None:
    names = [one.name for one in golden_folders(folder.name)]
    assert [name for name in names if name.startswith("bad-")], f"{GOLDEN / folder.name}: a faulty record is missing"
    assert [name for name in names if not name.startswith("bad-")], f"{GOLDEN / folder.name}: a good one is missing"


def test_every_clause_has_a_test_and_every_test_a_clause() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    tested = {f"C{number}" for number in re.findall(r"^(?:async )?def test_c(\d\d)_", text, re.MULTILINE)}
    assert tested == set(CLAUSES)


def test_the_fleet_is_what_has_a_manifest() -> None:
    folder = Path(importlib.import_module("tieline.connectors").__file__ or "").parent
    packages = {place.name for place in folder.iterdir() if (place / "__init__.py").is_file()}
    assert set(connector_folders()) == packages - {"kit"}, "a connector without a manifest is in no list"


@FOLDERS
def test_every_connector_has_reached_a_tier(folder: Path) -> None:
    manifest: Manifest = read_manifest(folder)
    assert tier_of(manifest, folder) > 0
