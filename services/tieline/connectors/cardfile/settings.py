"""Settings of one folder of card statements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tieline.connectors.kit.amounts import NumberFormat
from tieline.kernel.errors import Stop

Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Settings(BaseModel):
    """Where the statements are, how they write numbers and days, and what their costs are charged to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(description="Folder of the statements, *.csv; each statement stands there once.")
    company: Code = Field(description="Canonical company code that bears the costs.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(description="Currency of the cards.")
    cost_centre: Code = Field(description="Canonical cost centre the cards are charged to.")
    decimal_mark: Literal[".", ","] = Field(description="Decimal mark of the amounts.")
    group_mark: Literal["", ".", ",", " ", "'"] = Field(description="Mark between groups of three digits; empty: none.")
    date_format: str = Field(default="%d/%m/%Y", pattern=r"%", description="How days are written, as for strptime.")

    @property
    def number_format(self) -> NumberFormat:
        """The declared convention of the amounts."""
        return NumberFormat(self.decimal_mark, self.group_mark)


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming the first faulty one, never its value."""
    try:
        checked = Settings.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Stop(f"systems.{system}.settings.{where}: {first['msg']}") from None
    if checked.decimal_mark == checked.group_mark:
        raise Stop(f"systems.{system}.settings.group_mark: must differ from decimal_mark")
    return checked
