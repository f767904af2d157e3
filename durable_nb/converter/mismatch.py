"""How a decoded JSON value and a type hint disagree, and where inside the value.

``Mismatch`` is raised deep inside a conversion and collects the path on its way out; ``decode_error`` turns it into
the error users see. Nothing here converts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from durable_nb.errors import PayloadDecodeError

SHOWN = 60
"""Characters of a value that a message quotes."""


class Mismatch(Exception):
    """A value does not fit its hint. ``steps`` leads from the place of the problem outwards."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []

    def inside(self, step: str | int) -> None:
        """Note that the value with the problem sits at ``step`` of a larger one."""
        self.steps.append(step)


def path_text(steps: Iterable[str | int]) -> str:
    """JSON path from outermost to innermost step: ``$.customer.lines[3]["unit price"]``."""
    text = "$"
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}"
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def type_text(hint: Any) -> str:
    """A type as people write it."""
    if isinstance(hint, type) and not getattr(hint, "__args__", None):
        return hint.__name__
    return str(hint).replace("typing.", "")


def value_text(value: Any) -> str:
    """A value with its type, shortened: ``str 'abc'``."""
    if value is None:
        return "None"
    try:
        shown = repr(value)
    except Exception:  # a class with a broken __repr__, an integer of 5,000 digits
        return type(value).__name__
    if len(shown) > SHOWN:
        shown = shown[: SHOWN - 1] + "…"
    return f"{type(value).__name__} {shown}"


def expected(what: Any, value: Any) -> Mismatch:
    """The usual problem: one thing is expected, another is there."""
    wanted = what if isinstance(what, str) else type_text(what)
    return Mismatch(f"expected {wanted}, got {value_text(value)}")


def decode_error(mismatch: Mismatch, hint: Any) -> PayloadDecodeError:
    """The error for users: path, expected, actual, wanted type."""
    path = path_text(reversed(mismatch.steps))
    return PayloadDecodeError(
        f"cannot convert a stored value to {type_text(hint)}: {path}: {mismatch.problem}",
        fix="change the type hint to what was stored, or pass a value of the hinted type",
    )
