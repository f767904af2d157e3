"""A line of ``%workflow`` parsed into options, and what may come next on it. Knows no engine.

The commands themselves are modules of ``subcommands``; the words of a line, with their variables, are in ``words``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from durable_nb.errors import NotebookError
from durable_nb.notebook.subcommands import Subcommand, subcommands
from durable_nb.notebook.subcommands.arguments import completer_of
from durable_nb.notebook.words import Words, did_you_mean, split_line

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


class HelpShown(Exception):  # the end of --help, not an error
    """``--help`` was asked for; the text is the argument."""


class _Parser(argparse.ArgumentParser):
    """argparse without its habit of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise NotebookError(message, where=self.prog, fix=f"{self.prog} --help shows what it takes")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown(message or "")

    def print_help(self, file: Any = None) -> None:
        raise HelpShown(self.format_help())


def make_parser(command: Subcommand) -> argparse.ArgumentParser:
    """The parser of what follows a command."""
    examples = "".join(f"\n  {line}" for line in command.examples)
    parser = _Parser(
        prog=f"%workflow {command.name}",
        description=command.summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"examples:{examples}" if examples else None,
    )
    command.configure(parser)
    return parser


def overview() -> str:
    """What ``%workflow --help`` shows."""
    width = max(map(len, subcommands()))
    lines = [f"  {command.name.ljust(width)}  {command.summary}" for command in subcommands().values()]
    return (
        "usage: %workflow COMMAND …\n\n"
        "Start, watch and steer workflows. Values are JSON; {name} is a Python variable.\n\n"
        + "\n".join(lines)
        + "\n\n%workflow COMMAND --help tells about one command.\n"
    )


def parse_line(line: str, variables: Mapping[str, Any]) -> tuple[Subcommand, argparse.Namespace]:
    """The command of a line and its options; ``inputs`` holds the decoded arguments.

    Raises
    ------
    NotebookError
        DNB700: an unknown command or option, a broken quote, bad JSON, an unknown variable; says what to write.
    HelpShown
        ``--help``, or an empty line.
    """
    line_words = split_line(line)
    if not line_words or line_words[0] in ("--help", "-h"):
        raise HelpShown(overview())
    name, *rest = line_words
    command = subcommands().get(name)
    if command is None:
        raise NotebookError(
            f"there is no command {name!r}" + did_you_mean(name, subcommands()),
            fix=f"the commands are {', '.join(subcommands())}",
        )
    words = Words(rest, variables)
    parser = make_parser(command)
    for action in parser._actions:
        if callable(action.type):
            action.type = _reading(words, action.type)
    options, extra = parser.parse_known_args(words.marked)
    if extra:
        _refuse(command, words.text(extra[0]))
    for option, value in vars(options).items():
        setattr(options, option, _decoded(words, option, value))
    options.inputs = getattr(options, "input", [])
    return command, options


def _reading(words: Words, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """``read`` for a word that may be a variable: ``--limit {n}``."""

    def read_word(word: str) -> Any:
        text = words.text(word)
        try:
            return read(text)
        except (ValueError, TypeError):
            kind = getattr(read, "__name__", "such")
            raise argparse.ArgumentTypeError(f"invalid {kind} value: {text!r}") from None

    return read_word


_AS_JSON = ("input", "signal_input", "result", "runs")
"""Options whose words are values; others are text."""


def _decoded(words: Words, option: str, value: Any) -> Any:
    """An option with its variables put in: JSON for values, pairs of a key and JSON, text for anything else."""
    name = f"--{option.replace('_', '-')}"
    if isinstance(value, str):
        return words.text(value)
    if isinstance(value, list) and option in _AS_JSON:
        return [words.value(word, name) for word in value]
    if isinstance(value, list):
        return [_decoded_item(words, name, item) for item in value]
    return value


def _decoded_item(words: Words, name: str, item: Any) -> Any:
    if isinstance(item, tuple) and len(item) == 2:
        return item[0], words.value(item[1], f"{name} {item[0]}=")
    return words.text(item) if isinstance(item, str) else item


def _refuse(command: Subcommand, word: str) -> NoReturn:
    known = [option for action in make_parser(command)._actions for option in action.option_strings]
    guess = did_you_mean(word.partition("=")[0], known) if word.startswith("-") else ""
    fix = f"%workflow {command.name} --help shows what it takes"
    if "--input" in known and not word.startswith("-"):
        fix = f"values are given by --input: --input {_as_json(word)}"
    raise NotebookError(f"unrecognized arguments: {word}{guess}", where=f"%workflow {command.name}", fix=fix)


def _as_json(word: str) -> str:
    """A word as it must stand on a line to be taken for a JSON value."""
    try:
        json.loads(word)
    except ValueError:
        word = json.dumps(word, ensure_ascii=False)
    return shlex.quote(word)


def candidates(before: list[str], text: str, session: NotebookSession) -> Iterable[str]:
    """What may stand after the words ``before`` of a line, where ``text`` is typed: commands, options, values."""
    if not before:
        return subcommands()
    command = subcommands().get(before[0])
    return [] if command is None else _candidates(command, before[1:], text, session)


def _candidates(command: Subcommand, before: list[str], text: str, session: NotebookSession) -> Iterable[str]:
    parser = make_parser(command)
    if text.startswith("-"):
        return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    action = _expected(parser, before)
    if action is None:
        return []
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    completer = completer_of(action)
    return [] if completer is None else completer(session, _typed(parser, before))


def _expected(parser: argparse.ArgumentParser, before: list[str]) -> argparse.Action | None:
    """The argument whose value comes after the words ``before``."""
    by_option = {option: action for action in parser._actions for option in action.option_strings}
    positionals = [action for action in parser._actions if not action.option_strings]
    pending: argparse.Action | None = None
    for word in before:
        if pending is not None:
            pending = None
        elif word.startswith("-"):
            action = by_option.get(word)
            pending = action if action is not None and action.nargs != 0 else None
        elif positionals and positionals[0].nargs not in ("*", "+"):
            positionals.pop(0)
    return pending or (positionals[0] if positionals else None)


def _typed(parser: argparse.ArgumentParser, before: list[str]) -> argparse.Namespace:
    """What was typed already; arguments that are still missing are None."""
    for action in parser._actions:
        action.required = False
        if not action.option_strings and action.nargs is None:
            action.nargs = "?"
    found = argparse.Namespace()
    with contextlib.suppress(NotebookError, HelpShown), contextlib.redirect_stderr(io.StringIO()):
        parser.parse_known_args(before, found)
    return found
