"""Everything the generated pages are made of, read once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from tieline.kernel.correspondence import RECORDS, FieldTables
from tieline.kernel.declarations import Topic, Tree, declared, read_tree, topics_for
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape, is_secret, load_landscape, resolve_settings
from tieline.kernel.ownership import Ownership, load_ownership
from tieline.kernel.shapes import shapes_of


@dataclass(frozen=True, slots=True)
class Inputs:
    """A landscape, its topics, the declarations, and what its connectors say of their fields, by system."""

    landscape: Landscape
    tree: Tree
    topics: tuple[Topic, ...]
    ownership: Ownership
    tables: Mapping[str, FieldTables]
    field_pages: Mapping[str, str]


def read_inputs(landscape_file: Path) -> Inputs:
    """Read all of it; nothing in the environment changes the result. Raises ``Stop`` for what cannot be read."""
    landscape = load_landscape(landscape_file, environ={})
    tree = read_tree(declared(), landscape.families)
    for fault in (*tree.topic_faults, *tree.schema_faults):
        raise Stop(f"{fault.file}: {fault.reason}")
    tables: dict[str, FieldTables] = {}
    pages: dict[str, str] = {}
    for name, system in landscape.systems.items():
        module = _field_tables_of(system.connector)
        if module is None:
            continue
        # What a table is made of is no secret, and where the pages are generated there are none.
        open_settings = {key: value for key, value in system.settings.items() if not is_secret(value)}
        settings = resolve_settings(open_settings, landscape_file.parent)
        families = {"shapes": shapes_of(landscape.families)} if RECORDS in settings else {}
        tables[name] = cast("Callable[..., FieldTables]", module.tables)(settings, **families)
        pages[name] = cast("Callable[[Mapping[str, object]], str]", module.page)(settings)
    return Inputs(landscape, tree, topics_for(landscape, tree.topics), load_ownership(), tables, pages)


def _field_tables_of(connector: str) -> ModuleType | None:
    name = f"tieline.connectors.{connector}.fieldtable"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            return None  # this connector, or its table, is not there; the pages say so
        raise
