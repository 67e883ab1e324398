"""What the headers of an answer say of the calls that are left."""

from __future__ import annotations

import datetime as dt

import pytest

from tieline.connectors.kit.rate_headers import Left, read_left

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"x-ratelimit-limit": "120"}, {}),
        ({"x-ratelimit-limit": "120", "x-ratelimit-remaining": "119"}, {"window": Left(119, 120)}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}, {"window": Left(7, None, 30)}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH + 45)}, {"window": Left(7, None, 45)}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": f"{EPOCH + 45}000"}, {"window": Left(7, None, 45)}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH - 45)}, {"window": Left(7, None, 0)}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "86400"}, {"window": Left(7, None, 3600)}),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "50"},
            {"standard": Left(50, 100, 50)},
        ),
        ({"x-minlimit-remaining": "59", "x-daylimit-remaining": "4999"}, {"minute": Left(59), "day": Left(4999)}),
        ({"x-ms-ratelimit-burst-remaining-xrm-requests": "5990"}, {"burst": Left(5990)}),
        ({"x-hubspot-ratelimit-daily": "500", "x-hubspot-ratelimit-daily-remaining": "3"}, {"day": Left(3, 500)}),
        ({"x-ratelimit-remaining": "-1"}, {}),
        ({"x-ratelimit-remaining": "many"}, {}),
        ({"x-ratelimit-remaining": "١٢"}, {}),
        ({"x-ratelimit-remaining": ""}, {}),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "soon"}, {"window": Left(7)}),
    ],
)
def test_every_family_of_headers_says_calls_limit_and_reset_where_it_can(
    headers: dict[str, str], expected: dict[str, Left]
) -> None:
    assert read_left(headers, NOW) == expected
