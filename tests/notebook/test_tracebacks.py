"""Errors of durable_nb are short in a cell, with %tb for the rest; errors of user code are left alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from durable_nb.client import WorkflowFailureError, WorkflowQueryFailedError
from durable_nb.errors import StoreUrlError
from durable_nb.exceptions import ApplicationError, WorkflowAlreadyStartedError
from durable_nb.notebook.session import NotebookSession
from durable_nb.notebook.tracebacks import install
from durable_nb.service import RPCError, RPCStatusCode
from tests.notebook.values import failure


@pytest.fixture
def shown(shell: Any) -> Any:
    """Runs a cell that calls ``boom()``; gives back what was printed."""
    restore = install(shell, NotebookSession.cell_namer(shell))

    def show(error: BaseException, capsys: Any, cause: BaseException | None = None) -> str:
        def boom() -> None:
            raise error from (cause or error.__cause__)

        # As if raised inside durable_nb.
        boom = type(boom)(
            boom.__code__, {**boom.__globals__, "__name__": "durable_nb.client"}, "boom", None, boom.__closure__
        )
        shell.user_ns["boom"] = boom
        shell.run_cell("x = 1\nboom()\n", store_history=True)
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)

    yield show
    restore()


def test_an_error_of_ours_is_message_place_and_the_way_to_more(shown: Any, shell: Any, capsys: Any) -> None:
    out = shown(StoreUrlError("'x' is not a store URL", fix='write "sqlite:///x"'), capsys)
    assert out.splitlines()[:3] == [
        "DNB501 'x' is not a store URL",
        '  fix    write "sqlite:///x"',
        "cell [1], line 2  (%tb shows the traceback)",
    ]
    assert "Traceback" not in out
    shell.run_line_magic("tb", "")
    assert "boom()" in capsys.readouterr().out


def test_a_failed_workflow_shows_its_causes_and_the_stack_of_the_activity(shown: Any, capsys: Any) -> None:
    cause = ApplicationError("card declined\x1b[2J", type="CardError")
    cause._failure = failure("x", stack_trace='  File "cell", line 9, in charge\n    raise CardError')
    out = shown(WorkflowFailureError(cause=cause), capsys)
    assert "WorkflowFailureError: Workflow execution failed" in out
    assert "caused by ApplicationError (CardError): " in out
    assert "card declined\\x1b[2J" in out
    assert "raise CardError" in out


def test_lines_of_a_message_stay_below_it_and_long_advice_is_not_cut_within_words(shown: Any, capsys: Any) -> None:
    failed = WorkflowFailureError(cause=ApplicationError("no stock\nnot even one", type="StockError"))
    out = shown(failed, capsys)
    assert "  caused by ApplicationError (StockError): no stock\n    not even one\n" in out
    commands = [f"command-{number}" for number in range(30)]
    out = shown(StoreUrlError("there is no such command", fix="there are " + ", ".join(commands)), capsys)
    assert max(map(len, out.splitlines())) <= 100
    assert all(command in out for command in commands)
    assert out.splitlines()[2].startswith("         command-")


def test_a_refused_request_is_short(shown: Any, capsys: Any) -> None:
    out = shown(RPCError("workflow not found for ID: x", RPCStatusCode.NOT_FOUND), capsys)
    assert out.splitlines()[:3] == [
        "RPCError: workflow not found for ID: x",
        "  fix    %workflow list shows the runs",
        "cell [1], line 2  (%tb shows the traceback)",
    ]


def test_an_id_in_use_is_named_with_the_ways_out(shown: Any, capsys: Any) -> None:
    out = shown(WorkflowAlreadyStartedError("order-1", "Order", run_id="r"), capsys)
    assert out.startswith(
        "WorkflowAlreadyStartedError: Workflow execution already started\n  where  workflow 'order-1'"
    )
    assert "client.get_workflow_handle('order-1')" in out
    assert "USE_EXISTING" in out


@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_a_call_of_ours_with_wrong_arguments_is_short(shown: Any, capsys: Any, kind: type[Exception]) -> None:
    out = shown(kind("Order.run takes 1 argument (n), but 0 given"), capsys)
    assert out.splitlines()[:2] == [
        f"{kind.__name__}: Order.run takes 1 argument (n), but 0 given",
        "cell [1], line 2  (%tb shows the traceback)",
    ]


@pytest.mark.parametrize("code", ["int('x')", "raise ExceptionGroup('two', [ValueError('one')])", "{}.missing"])
def test_errors_of_others_are_shown_by_the_shell_as_ever(shell: Any, capsys: Any, monkeypatch: Any, code: str) -> None:
    debugged: list[bool] = []
    monkeypatch.setattr(shell, "debugger", lambda force=False: debugged.append(force))
    shell.call_pdb = True
    shown = []
    for install_it in (False, True):
        restore = install(shell, NotebookSession.cell_namer(shell)) if install_it else lambda: None
        shell.run_cell(code)
        shown.append(
            re.sub(r"\x1b\[[0-9;]*m|0x\w+|line \d+|\[\d+\]|ipykernel\S+|<ipython-input\S+", "", capsys.readouterr().out)
        )
        restore()
    assert shown[0] == shown[1]
    assert debugged == [True, True], "%pdb"


def test_workflow_code_in_a_cell_is_told_where_it_belongs(shell: Any, capsys: Any) -> None:
    restore = install(shell, NotebookSession.cell_namer(shell))
    shell.run_cell("from durable_nb import workflow\nworkflow.now()\n", store_history=True)
    out = capsys.readouterr().out
    restore()
    assert out.startswith(
        "NotInWorkflowEventLoopError: Not in workflow event loop\n  fix    this belongs into workflow code"
    )
    assert "Traceback" not in out


def test_what_our_code_stumbles_over_keeps_its_traceback(shell: Any, capsys: Any) -> None:
    restore = install(shell, NotebookSession.cell_namer(shell))

    def boom() -> None:
        int("x")

    shell.user_ns["boom"] = type(boom)(boom.__code__, {"int": int, "__name__": "durable_nb.client"})
    shell.run_cell("boom()\n")
    assert "Traceback" in capsys.readouterr().out
    restore()


def test_an_interrupt_of_code_that_is_not_ours_is_not_told_as_a_waiting_of_ours(shell: Any, capsys: Any) -> None:
    # The guards stand around time.sleep() wherever it is called.
    restore = install(shell, NotebookSession.cell_namer(shell))

    def sleep() -> None:
        raise KeyboardInterrupt

    for module, said in (
        ("durable_nb.runtime.guards", "Traceback"),
        ("durable_nb.client", "only the waiting ended"),
        ("durable_nb.analytics.interrupting", "interrupted: the query ended"),
    ):
        scope = {"KeyboardInterrupt": KeyboardInterrupt, "__name__": module}
        shell.user_ns["sleep"] = type(sleep)(sleep.__code__, scope)
        shell.run_cell("sleep()\n")
        assert said in capsys.readouterr().out
    restore()


def test_a_cause_that_repeats_the_message_and_a_stack_of_ours_are_left_out(shown: Any, capsys: Any) -> None:
    cause = ApplicationError("Query handler for 'x' expected but not found", type="RuntimeError")
    cause._failure = failure("x", stack_trace='  File "/x/durable_nb/runtime/messages.py", line 9, in _run\n    raise')
    out = shown(WorkflowQueryFailedError("Query handler for 'x' expected but not found"), capsys, cause)
    assert out.count("expected but not found") == 1
    assert "caused by ApplicationError (RuntimeError)\n" in out
    assert "raised by the activity" not in out


def test_errors_raised_by_user_code_keep_their_traceback(shell: Any, capsys: Any) -> None:
    restore = install(shell, NotebookSession.cell_namer(shell))
    shell.user_ns["ApplicationError"] = ApplicationError
    shell.run_cell("def f():\n    raise ApplicationError('mine')\nf()\n")
    out = capsys.readouterr().out
    assert "Traceback" in out
    assert "raise ApplicationError" in out
    restore()


def test_a_handler_of_somebody_else_keeps_its_exceptions_and_comes_back(shell: Any, capsys: Any) -> None:
    seen: list[BaseException] = []

    def theirs(self: Any, kind: Any, error: BaseException, traceback: Any, tb_offset: Any = None) -> None:
        seen.append(error)

    shell.set_custom_exc((ZeroDivisionError,), theirs)
    restore = install(shell, lambda _: "")
    shell.run_cell("1 / 0")
    restore()
    shell.run_cell("1 / 0")
    assert [type(error) for error in seen] == [ZeroDivisionError, ZeroDivisionError]
    assert shell.custom_exceptions == (ZeroDivisionError,)
    capsys.readouterr()
