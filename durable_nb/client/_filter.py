"""The part of Temporal's list filter that is understood so far: conditions joined by AND.

``WorkflowType = 'X' AND WorkflowId = 'Y' AND ExecutionStatus IN ('Running', 'Failed') AND StartTime >= '2026-11-25'``,
for counting also ``GROUP BY ExecutionStatus``. ``StartTime`` and ``CloseTime`` take ``= < <= > >=`` and ``BETWEEN``.
A filter is read by a tokenizer and becomes fields of a request; no text of a caller ever reaches SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NoReturn

import msgspec

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.spelling import nearest
from durable_nb.service import RPCError, RPCStatusCode

STATUS_NAMES = {
    "".join(word.capitalize() for word in status.name.split("_")): status for status in WorkflowExecutionStatus
}
_FIELDS = {
    "WorkflowType": "workflow_type",
    "WorkflowId": "workflow_id",
    "ExecutionStatus": "status",
    "StartTime": "started",
    "CloseTime": "closed",
}
_TIMES = ("started", "closed")
_SUPPORTED = (
    "supported is WorkflowType = '…', WorkflowId = '…', ExecutionStatus = '…' or IN ('…', '…'), StartTime and "
    "CloseTime with =, <, <=, >, >= or BETWEEN '…' AND '…', joined by AND; a count may end with GROUP BY "
    "ExecutionStatus"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Filter(msgspec.Struct):
    """A parsed filter. Empty fields do not filter; ``impossible`` where conditions exclude each other.

    ``started`` and ``closed`` are periods: first microsecond and the first after the end, 0 for no bound.
    """

    workflow_type: str = ""
    workflow_id: str = ""
    status: list[str] = []
    started: tuple[int, int] = (0, 0)
    closed: tuple[int, int] = (0, 0)
    grouped: bool = False
    impossible: bool = False

    def statuses(self) -> list[int]:
        """Numbers of the statuses asked for; empty for any."""
        return [int(STATUS_NAMES[name]) for name in self.status]

    def looks_at_runs(self) -> bool:
        """Whether it asks for more than a status, so that counting has to look at the runs."""
        return bool(self.workflow_id or self.workflow_type or any(self.started) or any(self.closed))


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_filter(query: str | None, *, grouping: bool = False) -> Filter:
    """Read a filter. None and an empty text filter nothing.

    Raises
    ------
    RPCError
        INVALID_ARGUMENT: no such field or status, or a form that is not supported; the message says what is.
    """
    tokens = _Reader(query or "")
    found = Filter()
    if tokens.at_end():
        return found
    if not tokens.next_is_word("GROUP"):
        _read_condition(tokens, found)
        while tokens.take_word("AND"):
            _read_condition(tokens, found)
        if tokens.at_end():
            return found
    if not tokens.take_word("GROUP"):
        tokens.refuse("expected AND")
    if not grouping:
        tokens.refuse("GROUP BY is for counting")
    if not tokens.take_word("BY") or not tokens.take_word("ExecutionStatus") or not tokens.at_end():
        tokens.refuse("only GROUP BY ExecutionStatus, at the end, is understood")
    found.grouped = True
    return found


def _read_condition(tokens: _Reader, found: Filter) -> None:
    name = tokens.take("name", "expected a field name").text
    field = _FIELDS.get(name)
    if field is None:
        close = nearest(name, _FIELDS)
        tokens.refuse(f"unknown field {name!r}" + (f", did you mean {close!r}?" if close else ""))
    if field in _TIMES:
        _read_period(tokens, found, name, field)
    elif field == "status":
        _read_statuses(tokens, found)
    else:
        tokens.take("=", f"expected = after {name}")
        value = tokens.take("string", f"expected a quoted text after {name} =").text
        if not value:
            tokens.refuse(f"{name} is compared with an empty text")
        before = getattr(found, field)
        if before and before != value:
            found.impossible = True
        setattr(found, field, value)


def _read_statuses(tokens: _Reader, found: Filter) -> None:
    values = []
    if tokens.take_word("IN"):
        tokens.take("(", "expected ( after IN")
        values.append(_status(tokens))
        while tokens.take_kind(","):
            values.append(_status(tokens))
        tokens.take(")", "expected ) after the list")
    else:
        tokens.take("=", "expected = or IN after ExecutionStatus")
        values.append(_status(tokens))
    both = [value for value in values if not found.status or value in found.status]
    found.impossible = found.impossible or not both
    found.status = list(dict.fromkeys(both or values))


def _status(tokens: _Reader) -> str:
    value = tokens.take("string", "expected a quoted text after ExecutionStatus =").text
    if not value:
        tokens.refuse("ExecutionStatus is compared with an empty text")
    if value not in STATUS_NAMES:
        close = nearest(value, STATUS_NAMES)
        tokens.refuse(
            f"unknown status {value!r}, "
            + (f"did you mean {close!r}?" if close else f"one of {', '.join(STATUS_NAMES)} is expected")
        )
    return value


def _read_period(tokens: _Reader, found: Filter, name: str, field: str) -> None:
    if tokens.take_word("BETWEEN"):
        first = _instant(tokens, name)
        if not tokens.take_word("AND"):
            tokens.refuse("expected AND in BETWEEN … AND …")
        period = first, _instant(tokens, name) + 1
    else:
        sign = tokens.take_sign(f"expected =, <, <=, >, >= or BETWEEN after {name}")
        at = _instant(tokens, name)
        period = {"=": (at, at + 1), "<": (0, at), "<=": (0, at + 1), ">": (at + 1, 0), ">=": (at, 0)}[sign]
    before = getattr(found, field)
    first, end = max(before[0], period[0]), min(before[1] or period[1], period[1] or before[1])
    found.impossible = found.impossible or bool(end and first >= end)
    setattr(found, field, (first, end))


def _instant(tokens: _Reader, name: str) -> int:
    """Microseconds since the epoch of a quoted date or date and time; UTC where it names no zone."""
    text = tokens.take("string", f"expected a quoted date and time after {name}").text
    try:
        moment = datetime.fromisoformat(text)
        return max(1, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError):
        tokens.refuse(f"{text!r} is no date and time such as '2026-11-25T14:30:00Z'")


class _Reader:
    """Tokens of a filter, read one by one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0

    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def next_is_word(self, word: str) -> bool:
        if self.at_end():
            return False
        token = self._tokens[self._next]
        return token.kind == "name" and token.text.upper() == word.upper()

    def take_word(self, word: str) -> bool:
        taken = self.next_is_word(word)
        self._next += taken
        return taken

    def take_kind(self, kind: str) -> bool:
        taken = not self.at_end() and self._tokens[self._next].kind == kind
        self._next += taken
        return taken

    def take_sign(self, complaint: str) -> str:
        """One of ``= < <= > >=``."""
        first = next((sign for sign in "=<>" if self.take_kind(sign)), "")
        if not first:
            self.refuse(complaint)
        return first + "=" if first != "=" and self.take_kind("=") else first

    def take(self, kind: str, complaint: str) -> _Token:
        if self.at_end() or self._tokens[self._next].kind != kind:
            self.refuse(complaint)
        self._next += 1
        return self._tokens[self._next - 1]

    def refuse(self, complaint: str) -> NoReturn:
        at = len(self._text) if self.at_end() else self._tokens[self._next].at
        self._refuse_at(complaint, at)

    def _refuse_at(self, complaint: str, at: int) -> NoReturn:
        message = f"filter not understood: {complaint} (at character {at + 1} of {self._text!r}); {_SUPPORTED}"
        raise RPCError(message, RPCStatusCode.INVALID_ARGUMENT)

    def _split(self) -> Iterator[_Token]:
        text, at = self._text, 0
        while at < len(text):
            char = text[at]
            if char.isspace():
                at += 1
            elif char in "'\"":
                value, end = self._read_string(at)
                yield _Token("string", value, at)
                at = end
            elif char.isalnum() or char in "_`":
                end = at + 1
                while end < len(text) and (text[end].isalnum() or text[end] in "_`"):
                    end += 1
                yield _Token("name", text[at:end].strip("`"), at)
                at = end
            else:
                yield _Token(char, char, at)
                at += 1

    def _read_string(self, start: int) -> tuple[str, int]:
        """A quoted text; a doubled quote or a backslash keeps a quote inside it."""
        text, quote, at = self._text, self._text[start], start + 1
        value: list[str] = []
        while True:
            if at >= len(text):
                self._refuse_at("a quoted text has no end", start)
            char = text[at]
            if char == "\\" and at + 1 < len(text):
                value.append(text[at + 1])
                at += 2
            elif char != quote:
                value.append(char)
                at += 1
            elif text[at + 1 : at + 2] == quote:
                value.append(quote)
                at += 2
            else:
                return "".join(value), at + 1
