"""What identify remembers: the cross-reference and the held reports, each a table with the indexes it is asked by."""

from __future__ import annotations

from itertools import chain

from tieline.kernel.matching import MatchRules
from tieline.kernel.memory import HeldReport, LinkStatus, XRef
from tieline.kernel.tables import Table
from tieline.processors.identity import places, rule_of, wanted

ASSET_ENTITIES = frozenset({"asset", "purchase-line"})
ATTACHED = frozenset({LinkStatus.LINKED, LinkStatus.MERGED_INTO})
"""A record of one of these standings has its canonical id: its reports go on."""


class Links:
    """The cross-reference as a table with its indexes: by canonical id, and by match key."""

    def __init__(self, rules: MatchRules | None = None) -> None:
        self._rules = rules
        self.table: Table[XRef] = Table("hub.xref.state.v1", XRef, on_change=self._follow)
        self._by_canonical: dict[str, set[str]] = {}
        self._by_match_key: dict[str, set[str]] = {}
        self._merged: dict[str, set[str]] = {}

    def of(self, system: str, entity: str, native_id: str) -> XRef | None:
        """The cross-reference of one record."""
        return self.table.get(xref_key(system, entity, native_id))

    def knows(self, canonical_id: str) -> bool:
        """Whether this canonical id is the hub's: some record is, or was, linked to it."""
        return bool(self._by_canonical.get(canonical_id))

    def knows_asset(self, canonical_id: str) -> bool:
        """Whether this canonical id is an asset's."""
        return any(key.split("/", 2)[1] in ASSET_ENTITIES for key in self._by_canonical.get(canonical_id, ()))

    def knows_record(self, canonical_id: str, entity: str) -> bool:
        """Whether this canonical id is that of a record of this entity."""
        return any(key.split("/", 2)[1] == entity for key in self._by_canonical.get(canonical_id, ()))

    def survivor(self, canonical_id: str) -> str:
        """The canonical id it counts as since a merge; itself if it was never merged."""
        for key in self._merged.get(canonical_id, ()):
            row = self.table.get(key)
            if row is not None:
                return row.canonical_id
        return canonical_id

    def attached(self, canonical_id: str) -> list[tuple[str, XRef]]:
        """Records of the canonical id with their keys, those that speak for it first."""
        rows = [(key, row) for key in self._by_canonical.get(canonical_id, ()) if (row := self.table.get(key))]
        found = [(key, row) for key, row in rows if row.status in ATTACHED]
        return sorted(found, key=lambda item: (item[1].status is not LinkStatus.LINKED, item[0]))

    def merged_from(self, canonical_id: str) -> list[tuple[str, XRef]]:
        """Records that were of this canonical id before a merge, the fewest merges first."""
        rows = [(key, row) for key in self._merged.get(canonical_id, ()) if (row := self.table.get(key))]
        return sorted(rows, key=lambda item: (len(item[1].merged_from), item[0]))

    def linked(self, canonical_id: str, system: str, entity: str) -> XRef | None:
        """The record of that system and entity that is linked to the canonical id."""
        for key in sorted(self._by_canonical.get(canonical_id, ())):
            row = self.table.get(key)
            if row and row.status is LinkStatus.LINKED and (row.system, row.entity) == (system, entity):
                return row
        return None

    def having(self, match_key: str, system: str) -> set[str]:
        """Canonical ids with a linked record of this match key, as a record of ``system`` sees them.

        A number that two records of one system carry names neither of them, and the asking record is one of its
        system's: such a number finds nothing.
        """
        is_between_systems = rule_of(match_key, self._rules).between == "systems"
        carriers: dict[str, set[str]] = {system: {""}}  # the asking record is one
        found: set[str] = set()
        for key in chain.from_iterable(self._by_match_key.get(place, ()) for place in wanted(match_key)):
            row = self.table.get(key)
            if row is None:
                continue
            found.add(row.canonical_id)
            if is_between_systems and row.entity == "asset":
                things = carriers.setdefault(row.system, set())
                things.add(row.canonical_id)
                if len(things) > 1:
                    return set()  # at the second already: a placeholder may stand in every record there is
        return found

    def _follow(self, key: str, old: XRef | None, new: XRef | None) -> None:
        if old:
            _drop(self._by_canonical, old.canonical_id, key)
            for match in old.match_keys:
                for place in places(match):
                    _drop(self._by_match_key, place, key)
            for former in old.merged_from:
                _drop(self._merged, former, key)
        if new and new.status in {*ATTACHED, LinkStatus.RETIRED}:
            self._by_canonical.setdefault(new.canonical_id, set()).add(key)
        if new and new.status in ATTACHED:
            for former in new.merged_from:
                self._merged.setdefault(former, set()).add(key)
            for match in new.match_keys:
                for place in places(match):
                    self._by_match_key.setdefault(place, set()).add(key)


class Holds:
    """Reports that wait for a mapping, with an index by what they wait for."""

    def __init__(self) -> None:
        self.table: Table[HeldReport] = Table("hub.hold.state.v1", HeldReport, on_change=self._follow)
        self._waiting: dict[str, set[str]] = {}

    def waiting_for(self, mapping: str) -> list[tuple[str, HeldReport]]:
        """Held reports that this mapping releases, in the order they came."""
        rows = [(key, row) for key in self._waiting.get(mapping, ()) if (row := self.table.get(key))]
        return sorted(rows, key=lambda item: (item[1].since, item[1].topic, item[1].partition, item[1].offset))

    def _follow(self, key: str, old: HeldReport | None, new: HeldReport | None) -> None:
        if old:
            _drop(self._waiting, old.waits_for, key)
        if new:
            self._waiting.setdefault(new.waits_for, set()).add(key)


def xref_key(system: str, entity: str, native_id: str) -> str:
    """Key of the cross-reference: system/entity/native id."""
    return f"{system}/{entity}/{native_id}"


def _drop(index: dict[str, set[str]], name: str, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[name]
