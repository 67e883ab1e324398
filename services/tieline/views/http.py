"""The views' HTTP interface: read-only routes, JSON, on the loopback."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from tieline.views import completeness, costs, disposals, spend
from tieline.views.disposals import DisposalStatus
from tieline.views.faust_app import LiveViews
from tieline.views.flows import WINDOW_HOURS
from tieline.views.money import sums_as_json

HOST = "127.0.0.1"
PAGE_DEFAULT = 100
PAGE_LIMIT = 500
Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(live: LiveViews) -> list[web.RouteDef]:
    """GET /health, /costs, /assets/<id>/cost, /spend, /disposals, /completeness; lists take after, limit, filters."""

    async def health(_request: web.Request) -> web.Response:
        return _json(200 if live.is_ready else 503, {"ready": live.is_ready, "skipped_records": live.skipped})

    async def all_costs(request: web.Request) -> web.Response:
        view = live.figures.costs
        found, after = view.page(after=_after(request), limit=_limit(request))
        totals = {name: sums_as_json(sums) for name, sums in view.totals().items()}
        return _json(200, {"items": [costs.as_json(cost) for cost in found], "next_after": after, "totals": totals})

    async def asset_cost(request: web.Request) -> web.Response:
        found = live.figures.costs.of(request.match_info["asset_id"])
        if found is None:
            return _json(404, {"error": "no such asset; ids are the hub's, see /costs"})
        return _json(200, costs.as_json(found))

    async def all_spend(request: web.Request) -> web.Response:
        view = live.figures.spend
        cost_centre, period = request.query.get("cost_centre"), request.query.get("period")
        found, after = view.page(cost_centre=cost_centre, period=period, after=_after(request), limit=_limit(request))
        totals = sums_as_json(view.totals(cost_centre=cost_centre, period=period))
        return _json(200, {"items": [spend.as_json(row) for row in found], "next_after": after, "totals": totals})

    async def all_disposals(request: web.Request) -> web.Response:
        view = live.figures.disposals
        found, after = view.page(status=_status(request), after=_after(request), limit=_limit(request))
        body = {
            "items": [disposals.as_json(disposal) for disposal in found],
            "next_after": after,
            "event_time": view.event_time.isoformat() if view.event_time else None,
            "counts": {status.value: count for status, count in view.counts().items()},
            "longest_open_days": view.longest_open_days(),
        }
        return _json(200, body)

    async def flow_completeness(request: web.Request) -> web.Response:
        view = live.figures.completeness
        found, after = view.page(flow=request.query.get("flow"), after=_after(request), limit=_limit(request))
        body = {
            "items": [completeness.as_json(row) for row in found],
            "next_after": after,
            "event_time": view.event_time.isoformat() if view.event_time else None,
            "first_hour": view.first_hour.isoformat() if view.first_hour else None,
            "window_hours": WINDOW_HOURS,
        }
        return _json(200, body)

    return [
        web.get("/health", health),
        web.get("/costs", _when_ready(live, all_costs)),
        web.get("/assets/{asset_id}/cost", _when_ready(live, asset_cost)),
        web.get("/spend", _when_ready(live, all_spend)),
        web.get("/disposals", _when_ready(live, all_disposals)),
        web.get("/completeness", _when_ready(live, flow_completeness)),
    ]


async def start_server(live: LiveViews, port: int, *, host: str = HOST) -> web.AppRunner:
    """Serve on ``host``; the caller cleans the runner up. Raises ``OSError`` when the port is taken."""
    application = web.Application()
    application.add_routes(routes(live))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


class _BadQueryError(Exception):
    """A parameter that cannot be honoured; its text goes to the caller."""


def _when_ready(live: LiveViews, answer: Handler) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        if not live.is_ready:
            return _json(503, {"error": "the tables are being read back; ask again in a moment"})
        try:
            return await answer(request)
        except _BadQueryError as error:
            return _json(400, {"error": str(error)})

    return handle


def _after(request: web.Request) -> str:
    return request.query.get("after", "")


def _limit(request: web.Request) -> int:
    limit = request.query.get("limit", str(PAGE_DEFAULT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:6]) <= PAGE_LIMIT):
        raise _BadQueryError(f"limit must be a number from 1 to {PAGE_LIMIT}")
    return int(limit[:6])


def _status(request: web.Request) -> DisposalStatus | None:
    status = request.query.get("status")
    if status is None:
        return None
    if status not in set(DisposalStatus):
        raise _BadQueryError(f"status must be one of {', '.join(DisposalStatus)}")
    return DisposalStatus(status)


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
