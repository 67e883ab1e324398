"""A connector that nobody has heard of, in a folder of the test's own: what the fleet finds by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tieline.connectors
from tieline.authoring.scaffold import new_connector


@dataclass(frozen=True, slots=True)
class Invented:
    """Its name, its folder, and where the golden records of all such connectors are."""

    name: str
    folder: Path
    golden: Path


@contextmanager
def invented_connector(folder: Path, name: str = "acme") -> Iterator[Invented]:
    """As long as the context lasts, it is one of the fleet; what was imported of it is forgotten afterwards."""
    new_connector(name, connectors=folder / "connectors", golden=folder / "golden")
    places = list(tieline.connectors.__path__)
    tieline.connectors.__path__ = [*places, str(folder / "connectors")]
    try:
        yield Invented(name, folder / "connectors" / name, folder / "golden")
    finally:
        tieline.connectors.__path__ = places
        for module in [one for one in sys.modules if one.startswith(f"tieline.connectors.{name}")]:
            del sys.modules[module]
        if hasattr(tieline.connectors, name):
            delattr(tieline.connectors, name)
