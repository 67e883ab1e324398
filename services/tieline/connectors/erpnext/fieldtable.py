"""Where the canonical fields stand in one ERPNext, for the catalogue and its page."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from tieline.connectors.erpnext.mapping import maps_of
from tieline.connectors.erpnext.settings import Settings
from tieline.connectors.kit.fieldtables import page_of, tables_of
from tieline.kernel.correspondence import FieldTables


def tables(settings: Mapping[str, object]) -> FieldTables:
    """The place of every canonical field, by the settings of the landscape, whose secrets are left out."""
    return tables_of(maps_of(_checked(settings)))


def page(settings: Mapping[str, object]) -> str:
    """The page about them."""
    checked = _checked(settings)
    facts = f"The hub's reference stands in the custom field `{checked.reference_field}`."
    return page_of(maps_of(checked), "ERPNext", [facts])


def _checked(settings: Mapping[str, object]) -> Settings:
    none = SecretStr("none")
    return Settings.model_validate({"api_key": none, "api_secret": none, **settings})
