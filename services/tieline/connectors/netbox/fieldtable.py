"""Where the canonical fields stand in one NetBox, for the catalogue and its page."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from tieline.connectors.kit.fieldtables import page_of, tables_of
from tieline.connectors.netbox.mapping import maps_of
from tieline.connectors.netbox.settings import Settings
from tieline.kernel.correspondence import FieldTables


def tables(settings: Mapping[str, object]) -> FieldTables:
    """The place of every canonical field, by the settings of the landscape, whose secrets are left out."""
    return tables_of(maps_of(_checked(settings)))


def page(settings: Mapping[str, object]) -> str:
    """The page about them."""
    checked = _checked(settings)
    facts = f"The hub's reference stands in the custom field `{checked.reference_field}`."
    return page_of(maps_of(checked), "NetBox", [facts])


def _checked(settings: Mapping[str, object]) -> Settings:
    secrets = {"token": SecretStr("none"), "webhook_secret": SecretStr("none")}
    return Settings.model_validate({**secrets, **settings})
