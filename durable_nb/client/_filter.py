"""The part of Temporal's list filter that is understood so far: equalities joined by AND.

``WorkflowType = 'X' AND WorkflowId = 'Y' AND ExecutionStatus = 'Running'``, for counting also
``GROUP BY ExecutionStatus``. A filter is read by a tokenizer and becomes fields of a request; no text of a caller
ever reaches SQL.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import msgspec

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.service import RPCError, RPCStatusCode

STATUS_NAMES = {
    "".join(word.capitalize() for word in status.name.split("_")): status for status in WorkflowExecutionStatus
}
_FIELDS = {"WorkflowType": "workflow_type", "WorkflowId": "workflow_id", "ExecutionStatus": "status"}
_SUPPORTED = (
    "supported is WorkflowType = '…', WorkflowId = '…' and ExecutionStatus = '…', joined by AND; "
    "a count may end with GROUP BY ExecutionStatus"
)


class Filter(msgspec.Struct):
    """A parsed filter. Empty fields do not filter; ``impossible`` where two conditions exclude each other."""

    workflow_type: str = ""
    workflow_id: str = ""
    status: str = ""
    grouped: bool = False
    impossible: bool = False

    def statuses(self) -> list[int]:
        """Numbers of the statuses asked for; empty for any."""
        return [int(STATUS_NAMES[self.status])] if self.status else []


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
        close = difflib.get_close_matches(name, _FIELDS, 1)
        tokens.refuse(f"unknown field {name!r}" + (f", did you mean {close[0]!r}?" if close else ""))
    tokens.take("=", f"expected = after {name}")
    value = tokens.take("string", f"expected a quoted text after {name} =").text
    if field == "status" and value not in STATUS_NAMES:
        close = difflib.get_close_matches(value, STATUS_NAMES, 1)
        tokens.refuse(
            f"unknown status {value!r}, "
            + (f"did you mean {close[0]!r}?" if close else f"one of {', '.join(STATUS_NAMES)} is expected")
        )
    if not value:
        tokens.refuse(f"{name} is compared with an empty text")
    before = getattr(found, field)
    if before and before != value:
        found.impossible = True
    setattr(found, field, value)


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
