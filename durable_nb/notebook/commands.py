"""The words of ``%workflow``: what may be written on its line, parsed into options. Knows no engine.

``{name}`` and ``$name`` stand for Python variables. A word that is nothing but such a reference becomes the object
itself (``--input {order}`` sends the object, never a text that has to be parsed again); inside a longer word the
value is put in as text. IPython's own expansion is off for this magic, as it would evaluate the braces of JSON.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

from durable_nb.errors import NotebookError

_WHOLE = re.compile(r"\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")
_INSIDE = re.compile(r"\{([A-Za-z_]\w*)\}")

SUBCOMMANDS = {
    "list": "runs of the store, newest first",
    "show": "one run: status, what it waits for, result, timeline",
    "history": "the events of one run",
    "start": "start a run",
    "result": "wait for the result of a run (interrupt to stop waiting)",
    "signal": "send a signal",
    "query": "ask a query",
    "update": "send an update and wait for its answer",
    "cancel": "ask a run to stop; its code decides how",
    "terminate": "end a run at once",
    "reset": "start a new run from an earlier point of a history",
    "definitions": "workflows and activities that this notebook runs, and where they were defined",
}


class HelpShown(Exception):  # the end of --help, not an error
    """``--help`` was asked for; the text is the argument."""


class _Parser(argparse.ArgumentParser):
    """argparse without its habit of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise NotebookError(message, where=f"%{self.prog}", fix=f"%{self.prog} --help shows what it takes")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown(message or "")

    def print_help(self, file: Any = None) -> None:
        raise HelpShown(self.format_help())


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole line."""
    parser = _Parser(
        prog="workflow",
        description="Start, watch and steer workflows. Values are JSON; {name} is a Python variable.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="%workflow COMMAND --help tells about one command.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in SUBCOMMANDS.items()}
    listing = made["list"]
    listing.add_argument("--query", "-q", default="", help="filter, e.g. \"WorkflowType = 'Order'\"")
    listing.add_argument("--type", default="", help="only this workflow type")
    listing.add_argument("--status", default="", help="only this status, e.g. Running or Failed")
    listing.add_argument("--limit", type=_positive, default=50, help="most rows to show (default 50)")
    start = made["start"]
    start.add_argument("type", help="workflow type")
    start.add_argument("--id", "--workflow-id", "-w", dest="id", default="", help="workflow ID; made up when left out")
    start.add_argument("--task-queue", "-t", default="", help="task queue of a worker elsewhere")
    _add_input(start)
    for name in ("show", "history", "result", "signal", "query", "update", "cancel", "terminate", "reset"):
        made[name].add_argument("id", help="workflow ID")
        made[name].add_argument("--run-id", "-r", default="", help="one run of it instead of the current one")
    made["history"].add_argument("--limit", type=_positive, default=500, help="most events to show (default 500)")
    made["history"].add_argument("--json", action="store_true", help="give Temporal's history JSON as a str")
    for name in ("signal", "query", "update"):
        made[name].add_argument("name", help=f"name of the {name}")
        _add_input(made[name])
    for name in ("cancel", "terminate", "reset"):
        made[name].add_argument("--reason", default="", help="recorded in the history")
    made["reset"].add_argument(
        "--event-id", "-e", type=_positive, required=True, help="id of the WorkflowTaskCompleted event to go back to"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_positive.__name__ = "number"  # argparse shows it: "invalid number value: 'x'"


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", "-i", action="append", default=[], metavar="JSON",
        help="one argument, as JSON or {variable}; repeat it for several",
    )  # fmt: skip


def parse_line(line: str, variables: Mapping[str, Any]) -> argparse.Namespace:
    """Options of a line; ``inputs`` holds the decoded arguments.

    Raises
    ------
    NotebookError
        DNB700: an unknown command or option, a broken quote, bad JSON, an unknown variable; says what to write.
    HelpShown
        ``--help``, or an empty line.
    """
    words = split_line(line)
    if not words:
        raise HelpShown(make_parser().format_help())
    if not words[0].startswith("-") and words[0] not in SUBCOMMANDS:
        raise NotebookError(
            f"there is no command {words[0]!r}" + did_you_mean(words[0], SUBCOMMANDS),
            fix=f"the commands are {', '.join(SUBCOMMANDS)}",
        )
    objects: list[Any] = []
    options = make_parser().parse_args([_marked(word, variables, objects) for word in words])
    for name, value in vars(options).items():
        if isinstance(value, str) and name != "command":
            setattr(options, name, _as_text(value, objects))
    options.inputs = [_as_value(word, objects) for word in getattr(options, "input", [])]
    return options


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


_MARK = "\x00{}\x00"
"""Stands for ``objects[n]`` while argparse works; no line of a cell can hold it."""


def _marked(word: str, variables: Mapping[str, Any], objects: list[Any]) -> str:
    option, equals, value = word.partition("=")
    if equals and option.startswith("--"):
        return f"{option}={_marked(value, variables, objects)}"
    whole = _WHOLE.fullmatch(word)
    if whole is not None:
        objects.append(_variable(whole.group(1) or whole.group(2), variables))
        return _MARK.format(len(objects) - 1)
    if word[:1] in '{["':
        return word  # JSON, whose braces are its own
    return _INSIDE.sub(lambda match: str(_variable(match.group(1), variables)), word)


def _variable(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        public = [known for known in variables if not known.startswith("_")]
        raise NotebookError(
            f"there is no variable {name!r}" + did_you_mean(name, public), fix="define it in a cell first"
        )
    return variables[name]


def _marked_object(word: str, objects: list[Any]) -> tuple[Any] | None:
    if word.startswith("\x00") and word.endswith("\x00"):
        return (objects[int(word[1:-1])],)
    return None


def _as_text(word: str, objects: list[Any]) -> str:
    found = _marked_object(word, objects)
    if found is None:
        return word
    # A handle or an execution stands for its workflow ID.
    value = found[0]
    return str(getattr(value, "id", value)) if not isinstance(value, str) else value


def _as_value(word: str, objects: list[Any]) -> Any:
    found = _marked_object(word, objects)
    if found is not None:
        return found[0]
    try:
        return json.loads(word)
    except ValueError as error:
        fix = f"write a text as --input '\"{word}\"', or a variable as --input {{name}}"
        raise NotebookError(f"--input {word} is not JSON: {error}", fix=fix) from None


def did_you_mean(word: str, known: Any) -> str:
    """``: did you mean 'x'?`` for the closest known words, or an empty text."""
    close = difflib.get_close_matches(word, [str(name) for name in known], 3, 0.6)
    if not close:
        lower = {str(name).lower(): str(name) for name in known}
        close = [lower[match] for match in difflib.get_close_matches(word.lower(), list(lower), 3, 0.6)]
    return f": did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


def completions(line: str, ids: Any, types: Any) -> list[str]:
    """What may come next on a line (with ``%workflow`` in front): commands, then workflow IDs or types, or options.

    ``ids`` and ``types`` are callables, asked only where they matter.
    """
    before = line.split()
    text = "" if line.endswith((" ", "\t")) else before.pop()
    if len(before) <= 1:
        found: list[str] = list(SUBCOMMANDS)
    elif text.startswith("-"):
        found = [
            option for action in _actions(before[1]) for option in action.option_strings if option.startswith("--")
        ]
    elif len(before) == 2 and before[1] == "start":
        found = list(types())
    elif len(before) == 2 and before[1] in SUBCOMMANDS and before[1] not in ("list", "definitions"):
        found = list(ids())
    elif before[-1] == "--type":
        found = list(types())
    else:
        found = []
    return [name for name in found if name.startswith(text)]


def _actions(command: str) -> list[argparse.Action]:
    parser = make_parser()
    choices: Mapping[str, argparse.ArgumentParser] = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr,assignment]
    return list(choices[command]._actions) if command in choices else []
