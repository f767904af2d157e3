"""The options of a ``%%workflow`` line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durable_nb.errors import NotebookError
from durable_nb.notebook.words import did_you_mean, split_line

ON_EDIT = ("continue", "pin", "fail")
_KNOWN = ("--strict", "--on-edit")


class Header(NamedTuple):
    """``on_edit`` is "" where the line does not say."""

    strict: bool = False
    on_edit: str = ""


def header_candidates(before: list[str], text: str) -> Sequence[str]:
    """What may stand after the words ``before`` of the line."""
    del text
    return ON_EDIT if before[-1:] == ["--on-edit"] else [word for word in _KNOWN if word not in before]


def read_header(options: str) -> Header:
    """What follows ``%%workflow``.

    Raises
    ------
    NotebookError
        DNB700: an unknown option or value.
    """
    strict, on_edit = False, ""
    words = split_line(options)
    while words:
        word, equals, value = words.pop(0).partition("=")
        if word == "--strict" and not equals:
            strict = True
        elif word == "--on-edit":
            on_edit = value if equals else words.pop(0) if words else ""
            if on_edit not in ON_EDIT:
                raise NotebookError(
                    f"--on-edit cannot be {on_edit!r}" + did_you_mean(on_edit, ON_EDIT),
                    fix=f"it is one of {', '.join(ON_EDIT)}",
                )
        else:
            raise NotebookError(
                f"%%workflow does not know {word!r}" + did_you_mean(word, _KNOWN),
                fix="it takes --strict and --on-edit continue|pin|fail, or nothing; %%workflow? tells about them",
            )
    return Header(strict, on_edit)
