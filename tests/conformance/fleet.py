"""The connectors that the suite runs over, found by their folders, and the clauses that speak of each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tieline.connectors.kit.sandboxing.cases import Case
from tieline.kernel.clauses import CLAUSES, is_tried_here
from tieline.kernel.manifests import Manifest, connector_folders, read_manifest

GOLDEN = Path(__file__).parents[1] / "golden"
STANDARD_TRIALS = ("asset.create", "asset.update", "asset.remove")
_CLAUSE = re.compile(r"test_(c\d\d)_")


def load_case(connector: str, golden: Path = GOLDEN) -> Case:
    """The case of one connector. Raises ``FileNotFoundError`` for none: the author writes it."""
    file = golden / connector / "case.py"
    name = f"tieline_case_{connector}"
    if not file.is_file():
        raise FileNotFoundError(f"{file}: write the connector's case there, as docs/conformance.md says")
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    case: Case = module.CASE
    return case


def tried_here() -> Mapping[str, Manifest]:
    """Every connector with a sandbox, or with files instead of one."""
    manifests = {name: read_manifest(folder) for name, folder in connector_folders().items()}
    return {name: one for name, one in manifests.items() if is_tried_here(one, connector_folders()[name])}


def clause_of(test: str) -> str | None:
    """``C07`` of ``test_c07_…``; None for a test that shows no clause."""
    found = _CLAUSE.match(test)
    return found[1].upper() if found else None


def cases_of(clause: str, *, by_operation: bool) -> Iterator[Any]:
    """Parameters of a clause's test: each connector it speaks of, with each operation if it goes by those.

    A waived one must fail (xfail, strict): a waiver that is no longer needed is a failure, too.
    """
    for name, manifest in tried_here().items():
        if not CLAUSES[clause].applies(manifest):
            continue
        for operation in manifest.writes if by_operation else [None]:
            why = manifest.waivers.get(clause) or manifest.waivers.get(f"{clause}/{operation}")
            marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
            values = (name,) if operation is None else (name, operation)
            yield pytest.param(*values, marks=marks, id="-".join(values))
