"""Bases of the records of declared families (kernel/families.py); the subclasses are built from Avro schemas."""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime

from tieline.kernel.families import Family
from tieline.kernel.vocabulary import Accepted, Code, Dispatch, Model, Origin, Text


class FamilyReport(Model):
    """Base of every ``<X>Report``: one system's word on one whole record. The subclasses are built from their schemas.

    ``fields`` is the family's own record, ``family`` says which family it is.
    """

    family: ClassVar[Family]

    origin: Origin
    fields: Model


class FamilyEvent(Model):
    """Base of every ``<X>Changed``: the whole record as the hub accepted it."""

    family: ClassVar[Family]

    record_id: Code
    accepted: Accepted
    fields: Model
    links: dict[str, str]


class FamilyState(Model):
    """Base of every ``<X>State``: what the hub believes of a record, and whose word of which version that is."""

    family: ClassVar[Family]

    record_id: Code
    version: int
    origin_system: Code
    origin_native_id: Code
    source_version: Text
    recorded_at: AwareDatetime
    fields: Model
    links: dict[str, str]


class FamilyCommand(Model):
    """Base of every ``Write<X>``: make the target's record of it agree with ``fields``."""

    family: ClassVar[Family]

    dispatch: Dispatch
    record_id: Code
    native_id: Text | None
    fields: Model
