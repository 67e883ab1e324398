"""Clauses of the wire: secrets, the account's budget, webhooks."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiohttp import web
from pydantic import SecretStr
from tests.conformance.bench import Bench, Opener

from tieline.connectors.kit import governor
from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.kinds import KINDS
from tieline.kernel.errands import Priority
from tieline.kernel.errors import Rejected, Stop, TielineError
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.quotas import Allowance, Rate

CALLS, PER_SECS = 10, 10.0
PAUSE_SECS = 4.0


async def test_c02_no_secret_is_told(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    settings = bench.world.settings
    secrets = {name: value.get_secret_value() for name, value in settings.items() if isinstance(value, SecretStr)}
    assert secrets or not bench.manifest.api.network, "the case gives its secrets as SecretStr"
    connector = bench.connect()
    said = [repr(part) + str(part) for part in (connector, connector.source, connector.sink, connector.account)]
    for name in ("no_such_setting", *secrets):
        wrong: object = [secrets[name]] if name in secrets else 1
        with pytest.raises(Stop) as refused:
            bench.connect(**{name: wrong})
        said += traceback.format_exception(refused.value)
        assert name in str(refused.value), "the message names the setting at fault"
    await bench.create(1)
    failing = [("answer", {"status": status, "count": None}) for status in (401, 403, 404, 500) if bench.case.playable]
    failing += [(kind, {"count": None}) for kind in bench.request_kinds("slow")]
    for kind, keys in failing:
        bench.fail(kind, **keys)
        try:
            await connector.source.read_changes({}, 10)
            await bench.whole(connector)
        except TielineError as error:
            said += [*traceback.format_exception(error), repr(error)]
    output = capfd.readouterr()
    for secret in secrets.values():
        assert secret not in "".join([*said, output.out, output.err])


async def test_c17_calls_never_exceed_the_budget(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.takes("allowance"), "connect takes the allowance of its process"
    secs = 0.0

    async def sleep(wait_secs: float) -> None:
        nonlocal secs
        secs += wait_secs
        await asyncio.sleep(0)

    monkeypatch.setattr(governor, "time", SimpleNamespace(monotonic=lambda: secs))
    defaults = Governor.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "sleep", sleep)
    await bench.create(24)
    allowance = Allowance(rates=(Rate(calls=CALLS, per_secs=PER_SECS),), concurrent=4)
    connector = bench.connect_with({"allowance": allowance}, **bench.case.small_pages)
    assert connector.account is not None, "the connector shows its account"
    meter = Meter(lambda: secs)
    connector.account.report_to(meter)
    before = len(bench.faults.seen)
    await asyncio.gather(bench.whole(connector), bench.drain(connector, {}))
    if "asset.create" in bench.manifest.writes:
        commands = [(await bench.trial(connector, "asset.create")).command for _ in range(CALLS * 2)]
        await asyncio.gather(*(bench.deliver(connector, command, None) for command in commands))
    assert CALLS * 2 < len(meter.began) == len(bench.faults.seen) - before, "every call passes the governor"
    window: deque[float] = deque()
    for at in meter.began:
        window.append(at)
        while window[0] <= at - PER_SECS:
            window.popleft()
        assert len(window) <= CALLS, f"{len(window)} calls within {PER_SECS:g} s"
    bench.fail("error_429", retry_after=PAUSE_SECS)
    meter.began.clear()
    assert len(await whole_at_last(bench, connector)) >= 24
    assert meter.began[1] - meter.began[0] >= PAUSE_SECS, "the wait that was asked for is kept"


@dataclass
class Meter:
    """When each call began, by the virtual clock."""

    now: Callable[[], float]
    began: list[float] = field(default_factory=list)

    def waited(self, priority: Priority, secs: float) -> None:
        """See ``CallMeter``."""
        del priority, secs
        self.began.append(self.now())

    def throttled(self) -> None:
        """See ``CallMeter``."""


async def whole_at_last(bench: Bench, connector: Connector) -> list[RawItem]:
    for _ in range(5):
        try:
            return await bench.whole(connector)
        except TielineError:
            continue
    raise AssertionError("never read whole")


async def test_c18_webhooks_lose_and_undo_nothing_and_a_forged_one_is_refused(opening: Opener) -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        received.append((dict(request.headers), await request.read()))
        return web.Response()

    app, door = web.Application(), Door("127.0.0.1", 0)
    app.router.add_post("/{path:.*}", receive)
    port = await door.open(app)
    opening.stack.push_async_callback(door.close)
    bench = await opening.open(f"http://127.0.0.1:{port}/webhooks")
    connector = bench.connect()
    assert connector.webhook is not None
    parse = connector.webhook.parse
    created = await bench.create(2)
    _, position = await bench.drain(connector, {})
    await settled(received)
    for kind in sorted(kind for kind in bench.case.playable if KINDS[kind].stage == "webhook"):
        received.clear()
        bench.fail(kind)
        for native_id in (created[0], created[1], created[0]):
            bench.clock.move()
            await bench.world.edit(native_id, bench.number())
        await settled(received)
        bench.mend()
        held = dict(await bench.versions(connector))
        last: dict[str, str] = {}
        for headers, body in received:
            for stream, native_id in parse(headers, body):
                item = await connector.source.read_one(stream, native_id)
                assert item is not None
                last |= dict(bench.said(connector, [item]))
        assert last == held, f"{kind}: the last word is the system's present one"
        polled, position = await bench.drain(connector, position)
        assert set(held.items()) <= set(bench.said(connector, polled)), f"{kind}: the poll finds what was lost"
    headers, body = received[-1]
    for forged in ((headers, body + b" "), ({}, body), ({name: text[::-1] for name, text in headers.items()}, body)):
        with pytest.raises(Rejected):
            parse(*forged)


async def settled(received: list[tuple[dict[str, str], bytes]]) -> None:
    """Nothing more has come for a while."""
    count = -1
    while count != len(received):
        count = len(received)
        await asyncio.sleep(0.15)
