"""Commands by name, loaded when they are asked for, so that every process of the hub starts with what it needs only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# By group, the root being "tieline": where a group of commands or one command is, as ``module:name``. Sandboxes of
# connectors are found by their folders.
ROOMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tieline": {
            "dead-letters": "tieline.deadletters.commands:app",
            "links": "tieline.operating.links_commands:app",
            "positions": "tieline.operating.positions_commands:app",
            "orders": "tieline.operating.orders_commands:app",
            "demo": "tieline.demo.commands:app",
            "stack": "tieline.stack.commands:app",
            "synthetic": "tieline.synthetic.commands:app",
            "status": "tieline.operating.commands:status_command",
            "trace": "tieline.operating.commands:trace_command",
            "custodians": "tieline.operating.custodians:custodians_command",
            "connector": "tieline.authoring.commands:app",
        },
        "topics": {
            "plan": "tieline.kernel.commands_topics:plan_command",
            "apply": "tieline.kernel.commands_topics:apply_command",
            "lint": "tieline.kernel.commands_topics:lint_command",
            "catalogue": "tieline.catalogue.commands:catalogue_command",
        },
        "sandbox": {
            "proxy": "tieline.connectors.kit.sandboxing.proxy:run",
        },
    }
)


SANDBOX = "sandbox"


def sandboxes() -> Mapping[str, str]:
    """A command for each connector that has a sandbox, by its folder; nothing is loaded, not even a manifest."""
    places = [Path(place) for place in import_module("tieline.connectors").__path__]
    names = sorted({file.parent.name for place in places for file in place.glob("*/sandbox.py")})
    return {name: f"tieline.connectors.{name}.sandbox:run" for name in names}


class Rooms(TyperGroup):
    """A group with its own commands and those that ``ROOMS`` gives its name. Typer's types of both are not public."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of ``--help``."""
        return [*super().list_commands(ctx), *self._rooms]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, its room imported now; None for a name that nothing has."""
        if cmd_name not in self._rooms:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._rooms[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            found = single
        command = get_command(found)
        command.name = cmd_name
        return command

    @property
    def _rooms(self) -> Mapping[str, str]:
        rooms = ROOMS.get(self.name or "", {})
        return {**sandboxes(), **rooms} if self.name == SANDBOX else rooms
