"""The words of a magic's line: quotes as in a shell, Python variables, and "did you mean". Knows no command.

``{name}`` and ``$name`` stand for Python variables. A word that is nothing but such a reference becomes the object
itself (``--input {order}`` sends the object, never a text that has to be parsed again); inside a longer word the
value is put in as text. IPython's own expansion is off for this magic, as it would evaluate the braces of JSON.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from durable_nb.errors import NotebookError

_WHOLE = re.compile(r"\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")
_INSIDE = re.compile(r"\{([A-Za-z_]\w*)\}")

_MARK = "\x00{}\x00"
"""Stands for ``objects[n]`` while argparse works; no line of a cell can hold it."""


def split_line(line: str) -> list[str]:
    """Words of a line, quotes as in a shell.

    Raises
    ------
    NotebookError
        A quote or backslash without its end.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        fix = "put JSON into single quotes: --input '{\"n\": 1}'"
        raise NotebookError(
            f"the line cannot be read: {str(error).lower()}", where=f"%workflow {line}", fix=fix
        ) from None


def did_you_mean(word: str, known: Iterable[Any]) -> str:
    """``: did you mean 'x'?`` for the closest known words, or an empty text."""
    names = [str(name) for name in known]
    close = difflib.get_close_matches(word, names, 3, 0.6)
    if not close:
        lower = {name.lower(): name for name in names}
        close = [lower[match] for match in difflib.get_close_matches(word.lower(), [*lower], 3, 0.6)]
    return f": did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


class Words:
    """Words of one line with the objects that stand in them.

    ``marked`` holds the words as argparse may read them; ``text`` and ``value`` turn what argparse gives back into a
    text or a value.
    """

    def __init__(self, words: Iterable[str], variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._objects: list[Any] = []
        self.marked = [self._mark(word) for word in words]

    def text(self, word: str) -> str:
        """A word as text; a handle or an execution stands for its workflow ID."""
        found = self._object(word)
        if found is None:
            return word
        value = found[0]
        return str(getattr(value, "id", value)) if not isinstance(value, str) else value

    def value(self, word: str, option: str = "--input") -> Any:
        """A word as a value: the object of a variable, or JSON.

        Raises
        ------
        NotebookError
            Neither; says how to write it.
        """
        found = self._object(word)
        if found is not None:
            return found[0]
        try:
            return json.loads(word)
        except ValueError as error:
            before = option if option.endswith("=") else f"{option} "
            if word in self._variables:
                raise NotebookError(
                    f"{before}{word} is not JSON", fix=f"write {before}{{{word}}} for the variable"
                ) from None
            fix = f"write a text as {before}'\"{word}\"', or a variable as {before}{{name}}"
            raise NotebookError(f"{before}{word} is not JSON: {error}", fix=fix) from None

    def _mark(self, word: str) -> str:
        option, equals, value = word.partition("=")
        if equals and (option.startswith("--") or option.isidentifier()):
            return f"{option}={self._mark(value)}"
        whole = _WHOLE.fullmatch(word)
        if whole is not None:
            self._objects.append(self._variable(whole.group(1) or whole.group(2)))
            return _MARK.format(len(self._objects) - 1)
        if word[:1] in '{["':
            return word  # JSON, whose braces are its own
        return _INSIDE.sub(lambda match: str(self._variable(match.group(1))), word)

    def _variable(self, name: str) -> Any:
        if name not in self._variables:
            public = [known for known in self._variables if not known.startswith("_")]
            raise NotebookError(
                f"there is no variable {name!r}" + did_you_mean(name, public), fix="define it in a cell first"
            )
        return self._variables[name]

    def _object(self, word: str) -> tuple[Any] | None:
        if word.startswith("\x00") and word.endswith("\x00"):
            return (self._objects[int(word[1:-1])],)
        return None
