"""YAML as every file of the hub is read: safe types only, and by libyaml where it is there (a tenth of the time)."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """The content. Raises ``yaml.YAMLError``."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  - a safe loader, see there


def compose_yaml(text: str) -> yaml.Node | None:
    """The content as nodes, which know their lines; None for an empty text. Raises ``yaml.YAMLError``."""
    return yaml.compose(text, Loader=_LOADER)
