"""accepting: who speaks, and what stands on every event of what the hub accepted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Landscape
from tieline.kernel.vocabulary import Accepted, Origin


@dataclass(frozen=True, slots=True)
class Posts:
    """The document may be posted now. ``date`` is set where it posts in a later period than its own."""

    period: str | None
    date: dt.date | None = None


def accepted_as(
    version: int,
    origin: Origin,
    effective: dt.date,
    changed: tuple[str, ...],
    posts: Posts | None = None,
    *,
    returned: tuple[str, ...] = (),
) -> Accepted:
    """Version, origin and times of an event.

    ``posts`` says where in the books it falls, ``returned`` which fields are written to the origin too.
    """
    return Accepted(
        version=version,
        origin_system=origin.system,
        origin_native_id=origin.native_id,
        effective_date=effective,
        recorded_at=origin.recorded_at,
        posting_period=posts.period if posts else None,
        changed_fields=changed,
        posting_date=posts.date if posts else None,
        returned_fields=returned,
    )


def role_of(landscape: Landscape, origin: Origin) -> str:
    """The role of the system that speaks. Raises ``Rejected`` for one that the landscape does not know."""
    if origin.system not in landscape.systems:
        raise Rejected(
            f"system {origin.system!r} is not in the landscape",
            field="origin.system",
            remedy="add the system to the landscape, then replay",
        )
    return landscape.role_of(origin.system)
