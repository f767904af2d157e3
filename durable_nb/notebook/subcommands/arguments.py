"""Arguments that many commands have, each with its completion."""

from __future__ import annotations

import argparse

from durable_nb.notebook.subcommands.asking import definition_types, workflow_ids
from durable_nb.notebook.subcommands.subcommand import Completer

_COMPLETER = "durable_nb_completer"


def completed_by(action: argparse.Action, completer: Completer) -> argparse.Action:
    """The argument, with what completes its value."""
    setattr(action, _COMPLETER, completer)
    return action


def completer_of(action: argparse.Action) -> Completer | None:
    """What completes the value of an argument, None for nothing."""
    found: Completer | None = getattr(action, _COMPLETER, None)
    return found


def add_target(parser: argparse.ArgumentParser) -> None:
    """``ID`` and ``--run-id``: which run."""
    completed_by(parser.add_argument("id", help="workflow ID"), workflow_ids)
    parser.add_argument("--run-id", "-r", default="", help="one run of it instead of the current one")


def add_type(parser: argparse.ArgumentParser, *names: str, help: str) -> None:
    """A workflow type: ``names`` as for ``add_argument``."""
    option = {"default": ""} if names[0].startswith("-") else {}
    completed_by(parser.add_argument(*names, help=help, **option), definition_types)  # type: ignore[arg-type]


def add_input(parser: argparse.ArgumentParser) -> None:
    """``--input``, whose values ``run`` finds decoded in ``options.inputs``."""
    parser.add_argument(
        "--input", "-i", action="append", default=[], metavar="JSON",
        help="one argument, as JSON or {variable}; repeat it for several",
    )  # fmt: skip


def add_reason(parser: argparse.ArgumentParser) -> None:
    """``--reason``."""
    parser.add_argument("--reason", default="", help="recorded in the history")


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is a whole number from 1, and not {text!r}")
    return int(text)
