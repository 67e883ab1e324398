"""What each process says of itself: its metrics, asked for on the loopback, all at once and within a moment."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from tieline.kernel.exposing import HOST, PATH
from tieline.kernel.fleet import metrics_ports
from tieline.kernel.landscape import Landscape
from tieline.kernel.metrics import Measure

ASK_SECS = 2.0
_MOST_BYTES = 8_000_000
Ask = Callable[[int], str]
"""A process's metrics as text, by its port. Raises ``OSError`` when nobody answers."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one process at one moment."""

    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def of(self, measure: Measure, **labels: str) -> float:
        """A gauge or counter; 0 where the process does not show it."""
        return self.values.get((measure.value.name, frozenset(labels.items())), 0.0)

    def each(self, measure: Measure) -> Iterator[tuple[dict[str, str], float]]:
        """Every value of a gauge or counter with its labels, in a fixed order."""
        found = [(dict(labels), value) for (name, labels), value in self.values.items() if name == measure.value.name]
        yield from sorted(found, key=lambda one: sorted(one[0].items()))


Workers = Mapping[str, Figures | None]
"""By process: its figures, or None where its port does not answer. Empty where the landscape gives no ports."""


def read_workers(landscape: Landscape, ask: Ask | None = None) -> Workers:
    """Ask every process of the landscape that has a port. Takes ``ASK_SECS`` at most."""
    ports = metrics_ports(landscape)
    if not ports:
        return {}
    with ThreadPoolExecutor(len(ports)) as threads:
        found = threads.map(lambda port: _figures(ask or _get, port), ports.values())
        return dict(zip(ports, found, strict=True))


def read_figures(text: str) -> Figures:
    """Prometheus' text format, as figures; histograms by their series. Raises ``ValueError`` for what is none."""
    return Figures(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


def _figures(ask: Ask, port: int) -> Figures | None:
    try:
        return read_figures(ask(port))
    except (OSError, ValueError, HTTPException):
        return None  # whoever has the port, it is not the process


def _get(port: int) -> str:
    # No proxy: the loopback is never beyond one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{HOST}:{port}{PATH}", timeout=ASK_SECS) as answer:
        body: bytes = answer.read(_MOST_BYTES)
    return body.decode("utf-8", "replace")
