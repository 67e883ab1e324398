"""Who has a thing in charge is personal: only an opaque id of that person enters the hub (Invariant 14, T40).

This stands between a connector's mapping and the first topic after the raw one, so that no connector can leave it out.
With a key the id is a pseudonym: HMAC-SHA256 (RFC 2104) over what the system calls the person. The same person of two
systems has the same pseudonym only if both call them the same. Without a key a value passes that looks like an id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import Landscape, resolve_settings
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.reference_records import EMPLOYEE, ReferenceReport
from tieline.kernel.reports import Report

MIN_KEY_CHARS = 32
MAX_ID_CHARS = 40
_FIELD = "fields.custodian"
_KEY = "privacy.custodian_key"
_PSEUDONYM = re.compile(r"p-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Custodians:
    """How persons in charge are called in the hub. Raises ``Stop`` for a key that is too short to keep a secret."""

    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.key is not None and len(self.key) < MIN_KEY_CHARS:
            raise Stop(f"{_KEY}: the secret has fewer than {MIN_KEY_CHARS} characters; make a new one")

    def opaque(self, said: str, place: str = _FIELD) -> str:
        """The hub's id of whom a system calls so; its own ids stay.

        Raises ``Rejected`` with the ``place``, never with the value.
        """
        # What the hub wrote to a mirror comes back as it is (Invariant 8).
        if _PSEUDONYM.fullmatch(said):
            return said
        called = " ".join(unicodedata.normalize("NFC", said).split())
        if self.key is not None:
            # 128 bits: short enough for the mirrors' columns, and no two persons ever meet in one id.
            return f"p-{hmac.new(self.key.encode(), called.encode(), hashlib.sha256).hexdigest()[:32]}"
        if not called or " " in called or "@" in called or len(called) > MAX_ID_CHARS:
            raise Rejected(
                f"a person is not called by an id here: no spaces, no @, at most {MAX_ID_CHARS} characters",
                field=place,
                remedy="name a secret under privacy.custodian_key in the landscape, or have the system give an id; "
                "then replay",
            )
        return called

    def conceal(self, report: Report) -> Report:
        """The report without anybody's name. Raises ``Rejected`` as ``opaque`` does."""
        if isinstance(report, ReferenceReport) and report.origin.entity == EMPLOYEE:
            return self._conceal_employee(report)
        if isinstance(report, AuditReport) and report.fields.audited_by is not None:
            audited_by = self.opaque(report.fields.audited_by, "fields.audited_by")
            return report.model_copy(update={"fields": report.fields.model_copy(update={"audited_by": audited_by})})
        if not isinstance(report, AssetReport) or report.fields.custodian is None:
            return report
        fields = report.fields.model_copy(update={"custodian": self.opaque(report.fields.custodian)})
        return report.model_copy(update={"fields": fields})

    def _conceal_employee(self, report: ReferenceReport) -> ReferenceReport:
        """Only opaque ids, also of the record itself, which stands in keys; and no name."""
        fields, origin = report.fields, report.origin
        superior = self.opaque(fields.parent, "fields.parent") if fields.parent else None
        known = {"code": self.opaque(fields.code, "fields.code"), "name": None, "parent": superior}
        record = {"native_id": self.opaque(origin.native_id, "origin.native_id")}
        return report.model_copy(
            update={"fields": fields.model_copy(update=known), "origin": origin.model_copy(update=record)}
        )


IDS_ONLY = Custodians()


def custodians_of(landscape: Landscape, base: Path) -> Custodians:
    """How a landscape's persons are called; relative secret files start at ``base``.

    Raises ``Stop`` if the key cannot be read or is too short.
    """
    reference = landscape.privacy.custodian_key
    if reference is None:
        return IDS_ONLY
    secret = resolve_settings({_KEY: reference.model_dump()}, base)[_KEY]
    return Custodians(secret.get_secret_value() if isinstance(secret, SecretStr) else str(secret))


def map_opaquely(connector: Connector, item: RawItem, custodians: Custodians) -> Sequence[Report]:
    """What a captured item says, without anybody's name. Raises ``Rejected`` as the connector's mapping does."""
    return [custodians.conceal(report) for report in connector.map_item(item)]
