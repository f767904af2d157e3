"""Completion of ``%workflow`` lines and ``%%workflow`` headers, by IPython's matchers.

What may stand at a place is known (``commands``, ``headers``): nothing of Python is offered beside it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from durable_nb.notebook.commands import candidates
from durable_nb.notebook.headers import header_candidates
from durable_nb.notebook.subcommands import subcommands

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

_LINE = re.compile(r"\s*(?:[^\W\d]\w*\s*=\s*)?%workflow\s+")
"""Also ``runs = %workflow list``."""

_HEADER = re.compile(r"%%workflow\s+")
_WORDS = re.compile(r"""(?:[^\s'"]|'[^']*'?|"[^"]*"?)+|\s+""")
"""Words, whose blanks quotes keep, and what is between them."""


def matcher(session: NotebookSession) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """For ``Completer.custom_matchers``."""

    @context_matcher(identifier="durable_nb.workflow")  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> SimpleMatcherResult:
        text = context.text_until_cursor
        try:
            if context.cursor_line == 0 and (header := _HEADER.match(text)):
                found, word = _completed(text[header.end() :], header_candidates)
            elif line := _LINE.match(text):
                found, word = _completed(text[line.end() :], lambda before, typed: candidates(before, typed, session))
            else:
                return SimpleMatcherResult(completions=[])
        except Exception:  # completion is a courtesy and must not break typing
            found, word = [], ""
            if _LINE.fullmatch(text):
                found = list(subcommands())
        offered = [SimpleCompletion(name, type="magic") for name in found]
        return SimpleMatcherResult(completions=offered, matched_fragment=word, suppress=bool(found))

    return complete  # type: ignore[no-any-return]


def _completed(text: str, of: Callable[[list[str], str], Iterable[str]]) -> tuple[list[str], str]:
    """What may follow ``text``, written as it must stand on a line; and the word that it takes the place of."""
    words = _WORDS.findall(text)
    word = words[-1] if words and not words[-1].isspace() else ""
    if word.startswith(("{", "$")):
        return [], word  # a variable, which Python's own completion knows
    before = shlex.split(text[: len(text) - len(word)])
    typed = word.strip("'\"")
    return [shlex.quote(name) for name in dict.fromkeys(of(before, typed)) if name.startswith(typed)], word
