"""The views' HTTP interface: three read-only routes, JSON, on the loopback."""

from __future__ import annotations

import json

from aiohttp import web

from tieline.views.costs import as_json
from tieline.views.faust_app import LiveViews
from tieline.views.money import sums_as_json

HOST = "127.0.0.1"
PAGE_DEFAULT = 100
PAGE_LIMIT = 500


def routes(live: LiveViews) -> list[web.RouteDef]:
    """GET /health, /costs?after=&limit= and /assets/<id>/cost."""

    async def health(_request: web.Request) -> web.Response:
        return _json(200 if live.is_ready else 503, {"ready": live.is_ready, "skipped_records": live.skipped})

    async def costs(request: web.Request) -> web.Response:
        if not live.is_ready:
            return _not_ready()
        limit = request.query.get("limit", str(PAGE_DEFAULT))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:6]) <= PAGE_LIMIT):
            return _json(400, {"error": f"limit must be a number from 1 to {PAGE_LIMIT}"})
        found, after = live.figures.costs.page(after=request.query.get("after", ""), limit=int(limit[:6]))
        totals = {name: sums_as_json(sums) for name, sums in live.figures.costs.totals().items()}
        return _json(200, {"items": [as_json(cost) for cost in found], "next_after": after, "totals": totals})

    async def asset_cost(request: web.Request) -> web.Response:
        if not live.is_ready:
            return _not_ready()
        found = live.figures.costs.of(request.match_info["asset_id"])
        if found is None:
            return _json(404, {"error": "no such asset; ids are the hub's, see /costs"})
        return _json(200, as_json(found))

    return [
        web.get("/health", health),
        web.get("/costs", costs),
        web.get("/assets/{asset_id}/cost", asset_cost),
    ]


async def start_server(live: LiveViews, port: int, *, host: str = HOST) -> web.AppRunner:
    """Serve on ``host``; the caller cleans the runner up. Raises ``OSError`` when the port is taken."""
    application = web.Application()
    application.add_routes(routes(live))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def _not_ready() -> web.Response:
    return _json(503, {"error": "the tables are being read back; ask again in a moment"})


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
