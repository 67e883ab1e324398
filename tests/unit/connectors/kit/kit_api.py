"""An API for tests of the kit: answers are given by a function, and every request is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tieline.connectors.kit.authentication import Authentication, bearer
from tieline.connectors.kit.client import Api
from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.settings import HttpSettings
from tieline.connectors.kit.verdicts import ErrorTable, words_at
from tieline.kernel.quotas import UNLIMITED

ENDPOINT = "https://erp.example.com/base"
TABLE = ErrorTable(words_at(code="error.code", message="error.message", field="error.field"))
Answering = Callable[[httpx.Request], httpx.Response]


@dataclass
class Server:
    """``answers`` in order, the last again and again; ``seen`` is what was asked."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    answering: Answering | None = None
    seen: list[httpx.Request] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.answering is not None:
            return self.answering(request)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url=ENDPOINT)

    def api(self, authentication: Authentication | None = None, errors: ErrorTable = TABLE, **more: object) -> Api:
        settings = HttpSettings.model_validate({"endpoint": ENDPOINT, **more})
        governor = Governor("erp", UNLIMITED, most_concurrent=4)
        return Api(self.http(), governor, authentication or bearer("t0k3n"), errors, settings)


def answer(status: int = 200, document: object = None, **headers: str) -> httpx.Response:
    """One answer with a JSON document."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, headers=named, content=b"" if document is None else json.dumps(document).encode())


def form_of(request: httpx.Request) -> Mapping[str, str]:
    """The fields of a form that was sent."""
    return dict(httpx.QueryParams(request.content.decode()))
