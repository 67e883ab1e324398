"""``tieline check``: is a landscape complete? The file itself, each system's settings, and the files it names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from inspect import signature
from pathlib import Path
from typing import cast

import yaml
from pydantic import SecretStr

from tieline.accounts import quota_of
from tieline.fitting import misfits
from tieline.kernel.commands_topics import lint_all
from tieline.kernel.correspondence import RECORDS
from tieline.kernel.declarations import declared, read_tree
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape, is_secret, load_landscape, resolve_settings
from tieline.kernel.manifests import manifest_of
from tieline.kernel.privacy import custodians_of
from tieline.kernel.shapes import shapes_of
from tieline.kernel.yaml_reading import compose_yaml

ReadSettings = Callable[[str, Mapping[str, object]], object]
_SETTING = re.compile(r"(?:^|[\s;.])(?P<path>[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_-]+)*): ")


def check_landscape(path: Path) -> list[str]:
    """Every fault as ``file:line: reason``, none when the landscape is complete. Contacts no system."""
    try:
        landscape = load_landscape(path)
    except Stop as stop:
        return [str(stop)]
    of_systems = [fault for system in landscape.systems for fault in _check_system(path, landscape, system)]
    return [
        *of_systems,
        *_check_privacy(path, landscape),
        *_check_code_lists(path, landscape),
        *_check_families(path, landscape),
        *_check_quotas(path, landscape),
        *_check_flows(path, landscape),
    ]


def _check_flows(path: Path, landscape: Landscape) -> Iterator[str]:
    """A flow must ask for nothing that the manifest of one of its connectors does not declare."""
    for misfit in misfits(landscape):
        line = line_of(path, ("flows", misfit.flow, misfit.end))
        yield f"{path}:{line}: flows.{misfit.flow}.{misfit.end}: {misfit.reason}"


def _check_quotas(path: Path, landscape: Landscape) -> Iterator[str]:
    """A quota must fit what the connector's manifest says, and a connector must be there that keeps it."""
    for name, system in landscape.systems.items():
        place = f"{path}:{line_of(path, ('systems', name, 'quota'))}"
        try:
            quota = quota_of(landscape, name)
        except Stop as stop:
            yield f"{place}: {stop}"
            continue
        if quota is not None and not _keeps_quotas(system.connector):
            yield f"{place}: systems.{name}.quota: its connector makes no calls that could be limited; remove it"


def _keeps_quotas(connector: str) -> bool:
    try:
        module = importlib.import_module(f"tieline.connectors.{connector}.connector")
    except ModuleNotFoundError:
        return True  # that there is no such connector is said elsewhere
    return "allowance" in signature(module.connect).parameters


def _check_families(path: Path, landscape: Landscape) -> Iterator[str]:
    """What is wrong with the declared families: their records, and what the topic lint finds in them."""
    families = landscape.families
    line = line_of(path, ("families",))
    try:
        shapes_of(families)
        findings = lint_all(read_tree(declared(), families), families) if families.members else ()
    except Stop as stop:
        yield f"{path}:{line}: families: {stop}"
        return
    for finding in findings:
        yield f"{path}:{line}: families: {finding.place}: {finding.message} [{finding.rule}]"
    for name, system in landscape.systems.items():
        if RECORDS in system.settings:
            yield from _check_records(path, landscape, name)
    for flow in landscape.flows:
        for end in (flow.source, flow.target) if flow.object in families else ():
            mapped = landscape.systems[end].settings.get(RECORDS)
            if not isinstance(mapped, dict) or flow.object not in mapped:
                place = ("systems", end, "settings", RECORDS)
                yield (
                    f"{path}:{line_of(path, place)}: systems.{end}.settings.{RECORDS}: flow {flow.name} needs "
                    f"{flow.object} here, with the file that says how {end} keeps it"
                )


def _check_records(path: Path, landscape: Landscape, name: str) -> Iterator[str]:
    """What is wrong with the files that say how a system keeps the families' records."""
    system = landscape.systems[name]
    place = f"{path}:{line_of(path, ('systems', name, 'settings', RECORDS))}: systems.{name}.settings.{RECORDS}"
    file = f"tieline.connectors.{system.connector}.fieldtable"
    has_tables = resources.files("tieline.connectors").joinpath(system.connector, "fieldtable.py").is_file()
    read_tables = getattr(importlib.import_module(file), "tables", None) if has_tables else None
    if read_tables is None or "shapes" not in signature(read_tables).parameters:
        yield f"{place}: its connector maps no declared families; remove it"
        return
    open_settings = {key: value for key, value in system.settings.items() if not is_secret(value)}
    try:
        read_tables(resolve_settings(open_settings, path.parent), shapes=shapes_of(landscape.families))
    except Stop as stop:
        yield f"{place}: {stop}"


def _check_privacy(path: Path, landscape: Landscape) -> Iterator[str]:
    try:
        custodians_of(landscape, path.parent)
    except Stop as stop:
        yield f"{path}:{line_of(path, ('privacy', 'custodian_key'))}: {stop}"


def _check_code_lists(path: Path, landscape: Landscape) -> Iterator[str]:
    """A list that the system's connector does not apply would let every code pass in silence."""
    for name, by_system in landscape.code_lists.items():
        for system in by_system:
            applied = _applied_lists(landscape.systems[system].connector)
            if name not in applied:
                line = line_of(path, ("code_lists", name, system))
                yield (
                    f"{path}:{line}: code_lists.{name}.{system}: its connector applies no such list, only "
                    f"{', '.join(applied) or 'none'}; remove it"
                )


def _applied_lists(connector: str) -> list[str]:
    """The code lists that a connector's manifest says it applies; none for a connector that does not exist."""
    manifest = manifest_of(connector)
    return [] if manifest is None else list(manifest.code_lists)


def _check_system(path: Path, landscape: Landscape, system: str) -> list[str]:
    found = landscape.systems[system]
    name = f"tieline.connectors.{found.connector}.settings"
    place = ("systems", system)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not name.startswith(error.name):
            raise
        line = line_of(path, (*place, "connector"))
        return [f"{path}:{line}: systems.{system}.connector: there is no connector {found.connector!r}"]
    read_settings = cast("ReadSettings", module.read_settings)
    try:
        settings = read_settings(system, resolve_settings(found.settings, path.parent))
    except Stop as stop:
        line = line_of(path, (*place, "settings", *_setting_in(str(stop), system)))
        return [f"{path}:{line}: {stop}"]
    # Invariant 14: this file is shown and shared, so a secret must not stand in it.
    plain = [
        f"{path}:{line_of(path, (*place, 'settings', key))}: systems.{system}.settings.{key}: is a secret and stands "
        "here itself; put a reference, {secret: env:NAME} or {secret: file:path}"
        for key, value in found.settings.items()
        if isinstance(value, str) and isinstance(getattr(settings, key, None), SecretStr)
    ]
    return plain + [
        f"{path}:{line_of(path, (*place, 'settings', key))}: systems.{system}.settings.{key}: {file} does not exist"
        for key, value in found.settings.items()
        if isinstance(value, dict)
        and set(value) == {"path"}
        and not (file := path.parent / str(value["path"])).exists()
    ]


def _setting_in(message: str, system: str) -> tuple[str, ...]:
    """The setting that a connector's message complains of, as keys; empty when it names none."""
    match = _SETTING.search(
        message.removeprefix(f"settings of system {system}: ").replace(f"systems.{system}.settings.", "")
    )
    return tuple(match["path"].split(".")) if match else ()


def line_of(path: Path, keys: tuple[int | str, ...]) -> int:
    """Line of the deepest of these nested keys (places of a list from 0) that the file has, counted from 1."""
    line, node = 1, compose_yaml(path.read_text(encoding="utf-8"))
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
            continue
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        match = next(((k, v) for k, v in entries if k.value == key), None)
        if match is None:
            break
        line, node = match[0].start_mark.line + 1, match[1]
    return line
