"""How many calls a system's vendor allows one account, as the landscape says it, and which part of it a process has.

Parts are fixed shares, so that processes on different machines need no word with each other
(docs/decisions/2026-11-21-quota-shares.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

DAY_SECS = 86_400


class Caller(StrEnum):
    """The processes of one system that call it."""

    SOURCE = "source"
    SINK = "sink"
    OPERATOR = "operator"  # a person's command that calls the system itself; no command of today does


class Section(BaseModel):
    """Base of every part of a quota: closed, so that a misspelt key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(Section):
    """So many calls in any stretch of time of this length."""

    calls: int = Field(ge=1, description="Calls in any stretch of per_secs, whole account.")
    per_secs: float = Field(gt=0, le=DAY_SECS, description="Length of the stretch: 1, 60, 300 or 3600, say.")


def _quoted(value: object) -> object:
    if not isinstance(value, str):
        # YAML 1.1 reads an unquoted 17:00 as the number 1020.
        raise ValueError('write the time of day in quotes, as "17:00"')  # noqa: TRY004  - pydantic reports it
    return value


def _known_zone(name: str) -> str:
    zone_of(name)
    return name


def zone_of(name: str) -> dt.tzinfo:
    """The time zone of this name in the IANA database. Raises ``ValueError`` for none."""
    if name == "UTC":
        return dt.UTC  # known without a database
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}; write one as Europe/Berlin, or UTC") from error


class DailyPool(Section):
    """Calls of one day."""

    calls: int = Field(ge=1, description="Calls from one reset to the next, whole account.")
    resets_at: Annotated[str, BeforeValidator(_quoted), StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = (
        Field(default="00:00", description='Time of day at which the vendor begins to count anew, in quotes: "00:00".')
    )
    zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="Time zone of resets_at, as Europe/Berlin."
    )

    def next_reset(self, now: dt.datetime) -> dt.datetime:
        """The first reset after ``now`` (UTC)."""
        zone = zone_of(self.zone)
        at = dt.time.fromisoformat(self.resets_at)
        today = now.astimezone(zone).date()
        days = (dt.datetime.combine(today + dt.timedelta(days=n), at, zone).astimezone(dt.UTC) for n in range(3))
        return next(day for day in days if day > now)


class Shares(Section):
    """Which part of what the hub may use each process of the system has, in percent; they use no more than 100."""

    source: int = Field(default=40, ge=0, le=100, description="Reading: polls, webhooks, first load, read-back.")
    sink: int = Field(default=60, ge=0, le=100, description="Writing, with the reads that belong to it.")
    operator: int = Field(default=0, ge=0, le=100, description="Commands of people that call the system themselves.")

    @model_validator(mode="after")
    def _are_parts_of_a_whole(self) -> Shares:
        if self.source + self.sink + self.operator > 100:  # noqa: PLR2004  - percent
            raise ValueError("shares: source, sink and operator add up to more than 100 percent")
        return self

    @property
    def by_caller(self) -> Mapping[Caller, int]:
        """Those that have any."""
        every = {Caller.SOURCE: self.source, Caller.SINK: self.sink, Caller.OPERATOR: self.operator}
        return {caller: percent for caller, percent in every.items() if percent}


class Quota(Section):
    """What the vendor allows one account, as its contract or documentation says; what is not given is not limited."""

    concurrent: int | None = Field(default=None, ge=1, description="Calls under way at one time, whole account.")
    rates: tuple[Rate, ...] = Field(
        default=(), description="Calls in a stretch of time, whole account; several hold together."
    )
    daily: DailyPool | None = Field(default=None, description="Calls of one day, whole account.")
    reserve_percent: int = Field(
        default=20, ge=0, le=90, description="Part of every limit that is left to the account's other integrations."
    )
    shares: Shares = Field(
        default=Shares(), description="How the rest is shared out between the system's own processes, in percent."
    )

    @model_validator(mode="after")
    def _leaves_every_process_a_call(self) -> Quota:
        sharing = self.shares.by_caller
        limits = {"concurrent": self.concurrent, "daily": self.daily.calls if self.daily else None}
        limits |= {f"rates: calls in {rate.per_secs:g} s": rate.calls for rate in self.rates}
        for name, calls in limits.items():
            usable = None if calls is None else self.usable(calls)
            if usable is not None and usable < len(sharing):
                raise ValueError(
                    f"{name}: of {calls}, less {self.reserve_percent} percent in reserve, {usable} remain for "
                    f"{' and '.join(sharing) or 'no process'}, which call side by side and need one each; lower "
                    "reserve_percent, or give one of them no share"
                )
        return self

    def usable(self, calls: int) -> int:
        """What the hub may use of so many calls."""
        return calls * (100 - self.reserve_percent) // 100


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one process may call; None and nothing: not limited. ``account`` is what it is a part of.

    ``after_others``: another process may have called with this very part until just now, as after any restart.
    """

    concurrent: int | None = None
    rates: tuple[Rate, ...] = ()
    daily: DailyPool | None = None
    account: Quota = Quota(reserve_percent=0)  # noqa: RUF009  - frozen
    after_others: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether it may call nothing at all: it has no share."""
        return self.concurrent == 0


UNLIMITED = Allowance()


def allowance_of(quota: Quota, caller: Caller) -> Allowance:
    """The part of one process; the parts of all processes add up to no more than what the hub may use."""
    if caller not in quota.shares.by_caller:
        return Allowance(concurrent=0, account=quota)

    def part(calls: int) -> int:
        return _parts(quota.usable(calls), quota.shares.by_caller)[caller]

    daily = quota.daily
    return Allowance(
        concurrent=None if quota.concurrent is None else part(quota.concurrent),
        rates=tuple(rate.model_copy(update={"calls": part(rate.calls)}) for rate in quota.rates),
        daily=None if daily is None else daily.model_copy(update={"calls": part(daily.calls)}),
        account=quota,
        after_others=True,
    )


def combine(vendor: Quota | None, said: Quota | None) -> Quota | None:
    """What a connector's manifest says its vendor allows, each field replaced by the landscape's where it says one.

    Raises ``ValueError`` where the two do not fit together.
    """
    if vendor is None or said is None:
        return said or vendor
    chosen = {name: getattr(said, name) for name in said.model_fields_set}
    return Quota.model_validate({**{name: getattr(vendor, name) for name in vendor.model_fields_set}, **chosen})


def _parts(calls: int, sharing: Mapping[Caller, int]) -> dict[Caller, int]:
    """Whole calls by share: largest remainders, and at least one each; they add up to ``calls`` at most."""
    percent = sum(sharing.values())
    total = max(calls * percent // 100, len(sharing))
    parts = {caller: max(1, total * share // percent) for caller, share in sharing.items()}
    by_remainder = sorted(sharing, key=lambda caller: total * sharing[caller] % percent, reverse=True)
    for caller in by_remainder[: max(0, total - sum(parts.values()))]:
        parts[caller] += 1
    while sum(parts.values()) > total:  # the one call that everybody has is more than a small share's part
        parts[max(parts, key=lambda caller: parts[caller])] -= 1
    return parts
