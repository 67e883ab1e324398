"""A new connector, begun from the example: copied under its name, every mention of the example renamed."""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from tieline.kernel.errors import Stop
from tieline.kernel.manifests import connector_folders

_NAME = re.compile(r"[a-z][a-z0-9]*")
_PACKAGE, _MODULE = "example", "tieline.authoring.example"
_GOLDEN = "golden"
_KEPT = "example.org"  # of addresses: no name of ours
_TAKEN = ("kit", _PACKAGE)


def new_connector(system: str, *, connectors: Path, golden: Path) -> list[Path]:
    """Write ``connectors/<system>`` and ``golden/<system>``; the files written, in order.

    Raises ``Stop`` for a name that cannot be one, and where something of that name is already: nothing is overwritten.
    """
    if not _NAME.fullmatch(system) or system in _TAKEN:
        raise Stop(f"{system!r} cannot name a connector: lower-case letters and digits, a letter first, as sap or odoo")
    for folder in (connectors / system, golden / system):
        if folder.exists() or system in connector_folders():
            raise Stop(f"there is a connector {system} already: {connector_folders().get(system, folder)}")
    here = resources.files("tieline.authoring")
    written = _copy(here.joinpath(_PACKAGE), connectors / system, system)
    return [*written, *_copy(here.joinpath(_GOLDEN), golden / system, system)]


def renamed(text: str, system: str) -> str:
    """The example's text as that of another system."""
    text = text.replace(_KEPT, "\0").replace(_MODULE, f"tieline.connectors.{system}")
    for word, name in ((_PACKAGE, system), (_PACKAGE.title(), system.title()), (_PACKAGE.upper(), system.upper())):
        text = text.replace(word, name)
    return _sorted_imports(text.replace("\0", _KEPT))


def _copy(source: Traversable, to: Path, system: str) -> list[Path]:
    written: list[Path] = []
    for entry in sorted(source.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            written += [] if entry.name == "__pycache__" else _copy(entry, to / entry.name, system)
            continue
        if source.name == _GOLDEN and entry.name == "__init__.py":
            continue  # tests/golden is no package
        to.mkdir(parents=True, exist_ok=True)
        (to / entry.name).write_text(renamed(entry.read_text(encoding="utf-8"), system), encoding="utf-8")
        written.append(to / entry.name)
    return written


def _sorted_imports(text: str) -> str:
    """Single-line imports of ``tieline`` in order of their modules again: their names have changed."""
    lines = text.split("\n")
    block = [number for number, line in enumerate(lines) if line.startswith("from tieline.")]
    if block and block == list(range(block[0], block[-1] + 1)):
        lines[block[0] : block[-1] + 1] = sorted(lines[block[0] : block[-1] + 1], key=lambda line: line.split()[1])
    return "\n".join(lines)
