"""Which asset a person means: canonical id, system/id, tag, ERP asset number or serial number."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.asset_records import AssetState
from tieline.kernel.errors import Stop
from tieline.kernel.inspecting import LogReader, read_rows
from tieline.kernel.memory import XRef

ASSETS = "asset.asset.state.v1"
LINKS = "hub.xref.state.v1"
ASSET_ENTITIES = ("asset", "purchase-line")
_MOST_NAMED = 10


def find_asset(log: LogReader, text: str) -> str:
    """The canonical id of the asset that ``text`` names. Raises ``Stop`` if there is none, or more than one."""
    if not text.strip():
        raise Stop("name an asset: canonical id, system/id, tag, ERP asset number or serial number")
    if read_rows(log, ASSETS, AssetState, keys=[text]):
        return text
    system, _, native_id = text.partition("/")
    if native_id and system in log.landscape.systems:
        keys = [f"{system}/{entity}/{native_id}" for entity in ASSET_ENTITIES]
        linked = {row.canonical_id for row in read_rows(log, LINKS, XRef, keys=keys).values()}
        if linked:
            return _only(text, linked)
    return named(text, read_rows(log, ASSETS, AssetState, needle=text.encode()).values())


def named(text: str, states: Iterable[AssetState]) -> str:
    """The canonical id of the one asset that is called so. Raises ``Stop`` if there is none, or more than one."""
    candidates = list(states)
    known = {state.asset_id for state in candidates if names(state, text)}
    # A system's own id counts last: small numbers are ids in every system, and a person means the ERP's number.
    return _only(text, known or {state.asset_id for state in candidates if text in state.links.values()})


def names(state: AssetState, text: str) -> bool:
    """Whether ``text`` is, to the letter, one of the numbers people know the asset by."""
    fields = state.fields
    return text in {fields.tag, fields.asset_number, fields.serial_number}


def _only(text: str, found: set[str]) -> str:
    if not found:
        raise Stop(
            f"no asset is known as {text!r}; give a canonical id, system/id, tag, ERP asset number or serial number, "
            "written exactly as the system has it"
        )
    if len(found) > 1:
        some = ", ".join(sorted(found)[:_MOST_NAMED])
        raise Stop(f"{text!r} names {len(found)} assets; give one of their canonical ids: {some}")
    return found.pop()
