"""The registry of commands: complete, in a readable order, and each with help."""

from __future__ import annotations

import re
from typing import Any

import pytest

from durable_nb.notebook.commands import HelpShown, make_parser, parse_line
from durable_nb.notebook.magics import WorkflowMagics
from durable_nb.notebook.subcommands import Subcommand, subcommands


def test_commands_are_found_by_their_modules_and_listed_for_reading() -> None:
    names = [*subcommands()]
    assert names[:3] == ["list", "show", "history"]
    assert {"start", "signal", "query", "update", "cancel", "terminate", "reset", "definitions"} < {*names}
    assert all(name == command.name for name, command in subcommands().items())


@pytest.mark.parametrize("command", subcommands().values(), ids=lambda command: command.name)
def test_each_command_has_a_summary_and_help_of_its_own(command: Subcommand) -> None:
    assert command.summary
    assert not command.summary.endswith(".")
    with pytest.raises(HelpShown, match=f"usage: %workflow {command.name}") as caught:
        parse_line(f"{command.name} --help", {})
    assert command.summary in str(caught.value)


@pytest.mark.parametrize("command", subcommands().values(), ids=lambda command: command.name)
def test_each_argument_has_help(command: Subcommand) -> None:
    actions: list[Any] = make_parser(command)._actions
    assert [action.dest for action in actions if not action.help] == []


EXAMPLE = re.compile(r"(?:\w+ = )?%workflow (.+)")
VARIABLES = dict.fromkeys(("handle", "item", "order", "n", "frame", "runs", "failed", "broken", "a", "b"), "x")


@pytest.mark.parametrize("command", subcommands().values(), ids=lambda command: command.name)
def test_each_command_gives_examples_that_its_parser_takes(command: Subcommand) -> None:
    assert command.examples
    for example in command.examples:
        found = EXAMPLE.fullmatch(example)
        assert found, example
        parsed, _ = parse_line(found.group(1), VARIABLES)
        assert parsed is command


def test_the_magics_own_help_names_every_command() -> None:
    help_text = WorkflowMagics.workflow.__doc__ or ""
    assert [name for name in subcommands() if not re.search(rf"\b{name}\b", help_text)] == []
