"""The generated reference files of a checkout: what they should be, which of them are stale, writing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tieline.catalogue.asyncapi import render_asyncapi
from tieline.catalogue.contracts import render_contracts
from tieline.catalogue.inputs import Inputs
from tieline.catalogue.page import render_catalogue
from tieline.kernel.connectors_page import render_connectors
from tieline.kernel.disk import writing
from tieline.kernel.topics_page import render_topics_page

CONTRACTS = "contracts"


def generated(inputs: Inputs) -> Mapping[str, str]:
    """Every file by its path under the reference folder, with its text."""
    return {
        "topics.md": render_topics_page(inputs.tree),
        "catalogue.md": render_catalogue(inputs),
        "asyncapi.yaml": render_asyncapi(inputs),
        "connectors.md": render_connectors(),
        **{f"{system}-fields.md": text for system, text in inputs.field_pages.items()},
        **{f"{CONTRACTS}/{name}": text for name, text in render_contracts(inputs).items()},
    }


def stale(folder: Path, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Paths under the folder that are missing, differ, or are contracts of topics that are gone."""
    differing = {name for name, text in wanted.items() if _text(folder / name) != text}
    return tuple(sorted(differing | _left_over(folder, wanted)))


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write every file; remove contracts of topics that are gone."""
    for name in _left_over(folder, wanted):
        (folder / name).unlink()
    for name, text in wanted.items():
        with writing(folder / name, "free space and run the command again"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


def _left_over(folder: Path, wanted: Mapping[str, str]) -> set[str]:
    there = {f"{CONTRACTS}/{path.name}" for path in (folder / CONTRACTS).glob("*.odcs.yaml")}
    return there - set(wanted)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
