"""What an answer means, by a table that the connector declares: a vendor's own words first, then what HTTP says.

Status codes alone do not tell: a success may be an error document, a 400 may say that there were too many calls, a 404
may be a gateway's. Throttling in all its forms is found before (``throttling``, by the governor).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tieline.connectors.kit.outcomes import retry_after_secs, status_error
from tieline.connectors.kit.paths import Record, value_at
from tieline.kernel.clock import Clock
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable

MAX_MESSAGE_LENGTH = 300


class Means(StrEnum):
    """What the caller does next."""

    REJECTED = "the record is at fault"
    CHANGED = "the record changed, is locked or not there yet: the same later, looked for again"
    UNAVAILABLE = "the system is out, or full: everybody waits"
    UNKNOWN = "a write may have landed: it is read back; a read is made again"
    STOP = "a person must act before anything else is sent"


@dataclass(frozen=True, slots=True)
class Words:
    """What a system says is wrong: its code, its message, the field it blames."""

    code: str = ""
    message: str = ""
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table; it speaks of answers that fit all it gives. ``code`` is a regular expression.

    ``code`` is searched for in the words' code, ``message`` in their message, both without regard to case.
    """

    means: Means
    statuses: Collection[int] = ()
    code: str = ""
    message: str = ""
    remedy: str | None = None

    def fits(self, status: int, words: Words) -> bool:
        """Whether it speaks of such an answer."""
        return (
            (not self.statuses or status in self.statuses)
            and re.search(self.code, words.code, re.IGNORECASE) is not None
            and re.search(self.message, words.message, re.IGNORECASE) is not None
        )


ReadWords = Callable[[Record], Words | None]
"""What a document says is wrong; None for a document that is no error."""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """How a system says no: where its error documents have their words, and what they mean; the first rule that fits.

    Where none does, a success that is an error document is ``Rejected``, and any other answer what HTTP says of it.
    """

    read: ReadWords
    rules: Sequence[Rule] = ()


def words_at(*, code: str = "", message: str = "", field: str = "", when: str | None = None) -> ReadWords:
    """Words at dotted paths, ``|`` between alternatives.

    A document is an error if it has a code or a message there; with ``when``, if it has that value (``status=error``),
    or anything but nothing and 0 there (``nrOfFailedTransactions``).
    """
    key, equals, wanted = (when or "").partition("=")

    def read(document: Record) -> Words | None:
        said = Words(_text(document, code), _text(document, message), _text(document, field) or None)
        if when is not None:
            found = value_at(document, key)
            return said if (found == wanted if equals else bool(found)) else None
        return said if said.code or said.message else None

    return read


def _text(document: Record, paths: str) -> str:
    found = (value_at(document, path) for path in paths.split("|") if path)
    return next((str(value) for value in found if isinstance(value, str | int) and value != ""), "")


def judge(
    table: ErrorTable, status: int, headers: Mapping[str, str], words: Words | None, *, writes: bool, clock: Clock
) -> TielineError | None:
    """The error that an answer stands for; None for a success. ``words`` are those of its document."""
    said = words or Words()
    is_success = 200 <= status < 300  # noqa: PLR2004  - the definition of success
    if is_success and words is None:
        return None
    rule = next((rule for rule in table.rules if rule.fits(status, said)), None)
    detail = said.message[:MAX_MESSAGE_LENGTH] or said.code[:MAX_MESSAGE_LENGTH]
    if rule is not None:
        what = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
        return _error(rule, what, said.field, retry_after_secs(headers.get("retry-after"), clock()), writes=writes)
    if is_success:
        return Rejected(detail or "the system says that it failed", field=said.field, remedy="correct it at its source")
    return status_error(status, headers, writes=writes, now=clock(), detail=detail, field=said.field)


def _error(rule: Rule, what: str, field: str | None, wait_secs: float | None, *, writes: bool) -> TielineError:
    match rule.means:
        case Means.REJECTED:
            return Rejected(what, field=field, remedy=rule.remedy or "correct it at its source")
        case Means.CHANGED:
            return Retryable(what, retry_after_secs=wait_secs)
        case Means.UNAVAILABLE:
            return Unavailable(what, retry_after_secs=wait_secs)
        case Means.UNKNOWN:
            return OutcomeUnknown(what) if writes else Retryable(what)  # Invariant 5
        case Means.STOP:
            return Stop(f"{what}. {rule.remedy or 'Check the account and what it may do'}, then start again.")
