"""Example to run against, in memory: written from the vendor's documentation, not from the connector."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer
from aiohttp import web

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, plain_form, refusing
from tieline.connectors.kit.sandboxing.authentication import bearer
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.front import Asked, Front
from tieline.connectors.kit.sandboxing.journal import Effect, Journal
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.options import FaultsOption, HostOption, PortOption, SeedOption, faults_of
from tieline.connectors.kit.sandboxing.paging import Size, by_cursor
from tieline.connectors.kit.sandboxing.records import Records, Row
from tieline.kernel.clock import Clock, utc_now

PLAYABLE = playable("state", "history", "door")
KEYS = frozenset({"name", "serial", "site", "company", "status", "cost", "currency", "bought_on", "external_ref"})
VARIABLE = "EXAMPLE_TOKEN"  # the local stack sets it: <connector>_<setting>, in capitals
_LONGEST_TEXT = 120
_EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox."""

    records: Records
    journal: Journal
    clock: Clock
    faults: Faults
    token: str
    door: Door
    seed: int | None = None

    def create(self, body: Mapping[str, object], asked: Asked | None = None) -> Row:
        """A new asset; 409 when its reference is taken. Without ``asked`` a person does it at a screen."""
        content = _checked(body)
        reference = content.get("external_ref")
        if reference and any(row["external_ref"] == reference for row in self.records.rows("asset")):
            raise Refusal(409, "external_ref is taken")
        number = len(self.journal.read(0, _EVERY)) + 1  # ids are never used twice
        row = {**dict.fromkeys(KEYS), "status": "stored", **content, "id": number, "version": 1}
        return self._put("created", {**row, "updated_at": self._now()}, asked)

    def change(self, number: int, body: Mapping[str, object], asked: Asked | None = None) -> Row:
        """Change an asset; 412 when it is not the version that the caller read. A change of nothing is none."""
        row = self.existing(number)
        read = asked.request.headers.get("If-Match") if asked is not None else None
        if read is not None and read.strip('"') != str(row["version"]):
            raise Refusal(412, "the asset has another version")
        content = {name: value for name, value in _checked(body).items() if row[name] != value}
        if not content:
            return row
        version = int(str(row["version"])) + 1
        return self._put("updated", {**row, **content, "version": version, "updated_at": self._now()}, asked)

    def delete(self, number: int, asked: Asked | None = None) -> None:
        """Delete an asset for good."""
        self._put("deleted", self.existing(number), asked)

    def _put(self, action: str, row: Row, asked: Asked | None) -> Row:
        number = int(str(row["id"]))
        with self.records.transaction(keep=asked is None or asked.keep) as change:
            if action == "deleted":
                self.records.remove("asset", number)
            else:
                self.records.put("asset", number, row)
            reference = None if row["external_ref"] is None else str(row["external_ref"])
            change.note(Effect(action, "asset", number, reference, asked.request_id if asked is not None else None))
        return row

    def _now(self) -> str:
        return self.clock().isoformat()

    def existing(self, number: int, asked: Asked | None = None) -> Row:
        """The asset; raises ``Refusal`` (404) when there is none."""
        row = self.records.get("asset", number, asked.age if asked is not None else None)
        if row is None:
            raise Refusal(404, f"no asset {number}")
        return row

    async def answer_list(self, asked: Asked) -> Answer:
        """GET /assets, by time of change, or by external_ref."""
        query = asked.request.query
        rows = sorted(self.records.rows("asset", asked.age), key=_order)
        if "external_ref" in query:
            rows = [row for row in rows if row["external_ref"] == query["external_ref"]]
        rows = [row for row in rows if str(row["updated_at"]) >= query.get("modified_since", "")]
        found, cursor = by_cursor(rows, _order, query, Size("limit", default=50, most=100))
        return Answer(200, {"items": list(found), "next_cursor": cursor})

    async def answer_one(self, asked: Asked) -> Answer:
        """GET, PATCH and DELETE /assets/{id}."""
        number = int(asked.request.match_info["id"])
        match asked.request.method:
            case "PATCH":
                return Answer(200, self.change(number, _parsed(asked.body), asked))
            case "DELETE":
                self.delete(number, asked)
                return Answer(204)
            case _:
                return Answer(200, self.existing(number, asked))

    async def answer_create(self, asked: Asked) -> Answer:
        """POST /assets."""
        return Answer(201, self.create(_parsed(asked.body), asked))


def open_sandbox(clock: Clock, token: str, faults: Faults, door: Door, seed: int | None = None) -> Sandbox:
    """An empty system."""
    journal = Journal(clock)
    return Sandbox(Records(journal), journal, clock, faults, token, door, seed)


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""
    front = Front(sandbox.faults, bearer(sandbox.token), clock=sandbox.clock, door=sandbox.door)

    def through(handle: Callable[[Asked], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            return await front.answer(request, handle)

        return respond

    app = web.Application(middlewares=[refusing(plain_form)], client_max_size=1_000_000)
    app.add_routes(
        [web.get("/assets", through(sandbox.answer_list)), web.post("/assets", through(sandbox.answer_create))]
    )
    app.add_routes([web.route("*", r"/assets/{id:\d+}", through(sandbox.answer_one))])
    admin = Admin(sandbox.faults, PLAYABLE, sandbox.journal.read, front.authenticate, seed=sandbox.seed)
    app.add_routes(admin.routes())
    return app


def _order(row: Row) -> str:
    """By time of change, then by id."""
    return f"{row['updated_at']}/{row['id']:09}"


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body must be a JSON object")
    return document


def _checked(body: Mapping[str, object]) -> dict[str, object]:
    """What is kept of a body: known keys, texts, an amount without a sign. Longer names are cut without a word."""
    for name, value in body.items():
        if name not in KEYS or not isinstance(value, str):
            raise Refusal(422, f"{name} is not known, or no text", field=name)
    if "cost" in body and not re.fullmatch(r"\d{1,16}(\.\d{1,4})?", str(body["cost"]), re.ASCII):
        raise Refusal(422, "cost must be an amount", field="cost")
    return {name: str(value)[:_LONGEST_TEXT] for name, value in body.items()}


def run(
    *,
    port: PortOption = 8090,
    host: HostOption = "127.0.0.1",
    token_variable: Annotated[str, typer.Option(help="Environment variable that holds the API token.")] = VARIABLE,
    faults: FaultsOption = None,
    seed: SeedOption = None,
) -> None:
    """Run the Example sandbox until interrupted. What it holds is gone then.

    Its own routes are /_health and, on the loopback with the token, /_faults and /_journal.
    """
    token = os.environ.get(token_variable)
    if not token:
        raise typer.BadParameter(f"environment variable {token_variable} is empty; put the API token there")
    rules, door = faults_of(faults, seed, PLAYABLE), Door(host, port)

    async def serving() -> None:
        bound_port = await door.open(build(open_sandbox(utc_now, token, rules, door, seed)))
        typer.echo(f"example sandbox on http://{host}:{bound_port}")
        try:
            await asyncio.Event().wait()
        finally:
            await door.close()

    run_until_told(serving)


if __name__ == "__main__":
    typer.run(run)
