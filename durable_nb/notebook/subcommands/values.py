"""Values that are written as one word: durations, instants, ``KEY=JSON`` pairs, policies. Pure."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar

E = TypeVar("E", bound=Enum)

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def duration(text: str) -> timedelta:
    """``30s``, ``1h30m``, ``250ms``, ``2d``; a bare number is seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return timedelta(seconds=float(text))
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 30s, 5m, 1h30m or 2d")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())
    except OverflowError:
        raise argparse.ArgumentTypeError(f"{text!r} is too long") from None


def moment(text: str, now: datetime | None = None) -> datetime:
    """An instant: a date, a date and time (UTC where it names no zone, as shown in lists), or so long ago (``2h``)."""
    now = now or datetime.now(UTC)
    words = {"now": now, "today": now.replace(hour=0, minute=0, second=0, microsecond=0)}
    words["yesterday"] = words["today"] - timedelta(days=1)
    if text in words:
        return words[text]
    try:
        return now - duration(text.removesuffix(" ago").replace(" ", ""))
    except argparse.ArgumentTypeError:
        pass
    except OverflowError:
        raise argparse.ArgumentTypeError(f"{text!r} is too long ago") from None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2h, 3d, yesterday, 2026-11-25 or 2026-11-25T14:30"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def pair(text: str) -> tuple[str, str]:
    """``KEY=JSON`` in two; the value is decoded later, as it may be a variable."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair: write KEY=JSON, such as customer='\"ann\"'")
    return key, value


def spelled(member: Enum) -> str:
    """``AllowDuplicate`` for ``ALLOW_DUPLICATE``."""
    return "".join(word.capitalize() for word in member.name.split("_"))


def one_of(kind: type[E], *left_out: E) -> tuple[Callable[[str], E], list[str]]:
    """Reader of a member's name in any case, with or without dashes or underscores; and the spellings to offer."""
    members = {spelled(member): member for member in kind if member not in left_out}
    folded = {name.lower(): member for name, member in members.items()}

    def read(text: str) -> E:
        found = folded.get(re.sub("[-_ ]", "", text).lower())
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(members)}")
        return found

    return read, [*members]
