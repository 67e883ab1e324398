"""Further systems beside the demo's: what connectors carry as ``demo.yaml``, put together with the demo's landscape.

A fragment has systems, flows and code lists as a landscape has them. Its secrets are names of files that the stack
draws (``file:<name>``); its paths start at its own folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tieline.kernel.manifests import connector_folders
from tieline.kernel.yaml_reading import load_yaml
from tieline.stack.errors import StackError

FRAGMENT = "demo.yaml"
_PARTS = ("systems", "flows", "code_lists")

Document = dict[str, Any]


def addable() -> tuple[str, ...]:
    """Connectors that can be added: those that say how, in order."""
    return tuple(name for name, folder in connector_folders().items() if (folder / FRAGMENT).is_file())


def split_names(words: Iterable[str]) -> tuple[str, ...]:
    """Names given as ``sap,snipeit`` or one by one, each once."""
    return tuple(dict.fromkeys(name for word in words for name in word.replace(",", " ").split()))


def write_landscape(base: Path, names: Sequence[str], *, to: Path, secrets: Path) -> Path:
    """Write the base's landscape with these connectors' systems and flows added; ``to``.

    Everything in it is named from the root, so that it means the same from anywhere. Raises ``StackError`` for a name
    that cannot be added, and for parts that do not fit together.
    """
    document = _rooted(_read(base), base.parent)
    for name in names:
        document = add(document, name, secrets)
    present = set(document["systems"])
    # A flow between two systems that may be added stands with either, and waits for the other.
    document["flows"] = [flow for flow in document["flows"] if {flow.get("source"), flow.get("target")} <= present]
    _refuse_shared_ports(document["systems"])
    to.parent.mkdir(parents=True, exist_ok=True)
    head = f"# Written by `make up WITH={','.join(names)}`; `make up` without it goes back to {base.name} alone.\n"
    to.write_text(head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    return to


def add(document: Document, name: str, secrets: Path) -> Document:
    """The landscape with one connector's fragment added. Pure but for reading that; raises ``StackError``."""
    folder = connector_folders().get(name)
    if folder is None or not (folder / FRAGMENT).is_file():
        known = ", ".join(addable()) or "none"
        why = "there is no connector" if folder is None else f"it carries no {FRAGMENT}"
        raise StackError(f"WITH={name}: {why}; those that can be added: {known}.")
    fragment = _rooted(_read(folder / FRAGMENT), folder, secrets)
    for key in fragment:
        if key not in _PARTS:
            raise StackError(f"{folder / FRAGMENT}: {key} is none of {', '.join(_PARTS)}.")
    for system in fragment.get("systems", {}):
        if system in document["systems"]:
            raise StackError(f"WITH={name}: the landscape has a system {system} already.")
    lists = dict(document.get("code_lists") or {})
    for code_list, by_system in (fragment.get("code_lists") or {}).items():
        lists[code_list] = {**lists.get(code_list, {}), **by_system}
    known_flows = [_name_of(flow) for flow in document["flows"]]
    flows = [flow for flow in fragment.get("flows", ()) if _name_of(flow) not in known_flows]
    return {
        **document,
        "systems": {**document["systems"], **fragment.get("systems", {})},
        "flows": [*document["flows"], *flows],
        **({"code_lists": lists} if lists else {}),
    }


def _name_of(flow: Mapping[str, object]) -> tuple[object, ...]:
    return flow.get("object"), flow.get("source"), flow.get("target")


def _read(file: Path) -> Document:
    try:
        document = load_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{file}: cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise StackError(f"{file}: not valid YAML: {getattr(error, 'problem', error)}.") from error
    if not isinstance(document, dict) or not isinstance(document.get("systems"), dict):
        raise StackError(f"{file}: expected a mapping with systems and flows.")
    return {"flows": [], **document}


def _rooted(value: Any, base: Path, secrets: Path | None = None) -> Any:
    """The same with every path and secret file named from the root; a fragment's secrets are in ``secrets``."""
    if isinstance(value, dict):
        if set(value) == {"path"}:
            return {"path": str((base / str(value["path"])).resolve())}
        if set(value) == {"secret"} and str(value["secret"]).startswith("file:"):
            name = str(value["secret"]).removeprefix("file:")
            file = base / name if secrets is None else secrets / PurePosixPath(name).name
            return {"secret": f"file:{file.resolve()}"}
        if isinstance(value.get("families"), str):
            value = {**value, "families": str((base / value["families"]).resolve())}
        return {key: _rooted(part, base, secrets) for key, part in value.items()}
    return [_rooted(part, base, secrets) for part in value] if isinstance(value, list) else value


def _refuse_shared_ports(systems: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for name, system in systems.items():
        endpoint = str((system.get("settings") or {}).get("endpoint", name))
        if endpoint in seen:
            raise StackError(f"systems {seen[endpoint]} and {name} are both at {endpoint}: give one another port.")
        seen[endpoint] = name
