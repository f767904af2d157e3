"""The line of ``%workflow``: words, JSON, variables, help, and what it says to a slip."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.completer import CompletionContext

from durable_nb.errors import NotebookError
from durable_nb.notebook import commands
from durable_nb.notebook.commands import HelpShown
from durable_nb.notebook.completion import matcher
from durable_nb.notebook.subcommands import subcommands
from durable_nb.notebook.words import did_you_mean

ORDER = object()
VARIABLES: dict[str, Any] = {
    "order": ORDER,
    "n": 7,
    "ident": "order-9",
    "handle": SimpleNamespace(id="order-3"),
    "a": 1,
}


def parse_line(line: str, variables: dict[str, Any]) -> Any:
    command, options = commands.parse_line(line, variables)
    options.command = command.name
    return options


def test_start_takes_type_id_and_json_arguments() -> None:
    options = parse_line(
        """start OrderWorkflow --id order-1 --input '{"a": 1, "b": [2]}' -i '"x"' -i null""", VARIABLES
    )
    assert (options.command, options.type, options.id) == ("start", "OrderWorkflow", "order-1")
    assert options.inputs == [{"a": 1, "b": [2]}, "x", None]


@pytest.mark.parametrize("word", ["--input {order}", "--input $order", "--input={order}", "-i {order}"])
def test_a_variable_is_passed_as_the_object_itself(word: str) -> None:
    assert parse_line(f"signal order-1 approve {word}", VARIABLES).inputs == [ORDER]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("order-{n}", "order-7"),
        ("{ident}", "order-9"),
        ("$ident", "order-9"),
        ("{handle}", "order-3"),
        ("{n}", "7"),
        ("a$b", "a$b"),
    ],
)
def test_ids_may_hold_variables(word: str, expected: str) -> None:
    assert parse_line(f"show {word}", VARIABLES).id == expected


def test_json_is_never_taken_for_variables() -> None:
    assert parse_line("""signal x y -i '{"a": {}}' -i '["{n}"]' -i '"{n} of {a}"'""", VARIABLES).inputs[:2] == [
        {"a": {}},
        ["{n}"],
    ]


def test_values_of_variables_are_not_parsed_again() -> None:
    variables = {"evil": "--reason x; {n} 'quote"}
    assert parse_line("cancel {evil} --reason {evil}", variables).reason == variables["evil"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lst", "there is no command 'lst': did you mean 'list'?"),
        ("frobnicate", "there is no command 'frobnicate'"),
        ("show", "the following arguments are required: id"),
        ("list --limit 0", "argument --limit: it is a whole number from 1, and not '0'"),
        ("list --nope", "unrecognized arguments: --nope"),
        ("signal x y --input '{", "No closing quotation".lower()),
        ("signal x y --input {oder}", "there is no variable 'oder': did you mean 'order'?"),
        ("signal x y --input {a:1}", "is not JSON"),
        ("fork --runs order", "write --runs {order} for the variable"),
        ("signal x y --input hello", "write a text as --input '\"hello\"'"),
        ("show order-{m}", "there is no variable 'm'"),
        ("reset x --event-id 0", "it is a whole number from 1, and not '0'"),
        ("signal x approve true", "values are given by --input: --input true"),
        ("start Order hello", """values are given by --input: --input '"hello"'"""),
        ("signal x approve {order}", "values are given by --input"),
        ("show x y", "%workflow show --help shows what it takes"),
    ],
)
def test_a_slip_gets_a_message_that_says_what_to_write(line: str, said: str) -> None:
    with pytest.raises(NotebookError) as caught:
        parse_line(line, VARIABLES)
    assert said in str(caught.value)
    assert "fix" in str(caught.value)


@pytest.mark.parametrize("line", ["", "  ", "--help", "-h", "start --help", "reset -h"])
def test_help_is_shown_not_raised_as_an_exit(line: str) -> None:
    with pytest.raises(HelpShown) as caught:
        parse_line(line, {})
    assert "usage: %workflow" in str(caught.value)


def test_the_help_lists_every_command() -> None:
    with pytest.raises(HelpShown) as caught:
        parse_line("--help", {})
    assert all(name in str(caught.value) for name in subcommands())


@pytest.mark.parametrize(
    ("line", "expected", "word"),
    [
        ("%workflow ", list(subcommands()), ""),
        ("  r = %workflow s", [name for name in subcommands() if name.startswith("s")], "s"),
        ("%workflow show or", ["order-1", "'order 2'"], "or"),
        ("%workflow show 'order ", ["'order 2'"], "'order "),
        ("%workflow show 'order 2' --ru", ["--run-id"], "--ru"),
        ("%workflow start ", ["OrderWorkflow"], ""),
        ("%workflow list --type ", ["OrderWorkflow"], ""),
        ("%workflow cancel order-1 --re", ["--reason"], "--re"),
        ("%workflow signal x y --input {or", [], "{or"),
        ("%workflow list x", [], "x"),
        ("%workflow nope --", [], "--"),
        ("%workflow list --l", ["--limit"], "--l"),
        ("%%workflow --", ["--strict", "--on-edit"], "--"),
        ("%%workflow --strict --", ["--on-edit"], "--"),
        ("%%workflow --on-edit p", ["pin"], "p"),
        ("%workflows ", [], ""),
        ("workflow.sl", [], ""),
    ],
)
def test_completion_offers_commands_ids_types_and_options(line: str, expected: list[str], word: str) -> None:
    runs = [SimpleNamespace(workflow_id=ident) for ident in ("order-1", "order 2", "x-1")]
    session: Any = SimpleNamespace(
        types=lambda: ["OrderWorkflow"],
        client=SimpleNamespace(namespace="default"),
        ask=lambda verb, request: runs,
        run=lambda answer, timeout: answer,
    )
    context = CompletionContext(word, line, len(line), 0, limit=None)
    found = matcher(session)(context)
    assert [each.text for each in found["completions"]] == expected
    if expected:
        assert found["suppress"]
        assert found["matched_fragment"] == word


def test_completion_survives_a_store_that_does_not_answer() -> None:
    def run(answer: Any, timeout: float) -> Any:
        raise OSError

    session: Any = SimpleNamespace(client=SimpleNamespace(namespace="default"), ask=lambda *_: None, run=run)
    line = "%workflow show o"
    assert matcher(session)(CompletionContext("o", line, len(line), 0, limit=None))["completions"] == []


def test_did_you_mean_ignores_case_and_is_silent_when_nothing_is_near() -> None:
    assert did_you_mean("ORDERWORKFLOW", ["OrderWorkflow"]) == ": did you mean 'OrderWorkflow'?"
    assert did_you_mean("zzz", ["OrderWorkflow"]) == ""
