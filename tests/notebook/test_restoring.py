"""After a restart: which stored code runs by itself, which on the user's word, and which never."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from durable_nb.errors import NotebookError, RestoreError
from durable_nb.notebook import extension
from durable_nb.notebook.live.places import places
from tests.notebook.test_editing import SLEEP, Notebook, flow

pytestmark = pytest.mark.slow

Restart = Callable[..., Notebook]


@pytest.fixture
def restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Restart]:
    """Opens the store in a new shell that has run nothing, as ``user``; what the one before ran is gone."""
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    monkeypatch.setenv("JPY_SESSION_NAME", "orders.ipynb")
    opened: list[Notebook] = []

    def close() -> None:
        last = opened.pop()
        extension.unload_ipython_extension(last.shell)
        last.session.engine.close()

    def start(user: str = "me") -> Notebook:
        if opened:
            close()
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / user))
        config = Config()
        config.HistoryManager.enabled = False
        capsys.readouterr()
        made = Notebook(InteractiveShell(config=config), capsys)
        made.shell.colors = "nocolor"
        made.welcome = capsys.readouterr().out  # type: ignore[attr-defined]
        opened.append(made)
        return made

    yield start
    close()


def flush(notebook: Notebook) -> None:
    """Wait until the sources are in the store."""
    notebook.session._disk.submit(lambda: None).result()


def tamper(tmp_path: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(tmp_path / "test.db") as connection:
        connection.execute(statement, values)
    connection.close()


def begin(restart: Restart, *cells: str, user: str = "me") -> str:
    """A first kernel starts run ``a`` on the cells' code; gives the digest."""
    notebook = restart(user)
    for cell in cells or (flow(),):
        notebook.cell(cell)
    notebook.paid("a")
    flush(notebook)
    return notebook.digest("a")


def handle(notebook: Notebook, workflow_id: str = "a") -> Any:
    return notebook.session.client.get_workflow_handle(workflow_id)


def test_what_this_user_signed_goes_on_by_itself(restart: Restart) -> None:
    digest = begin(restart)
    notebook = restart()
    assert "1 run is unfinished: 1 goes on" in notebook.welcome  # type: ignore[attr-defined]
    assert "Order, pay were restored from the store, where they bear your signature" in notebook.welcome  # type: ignore[attr-defined]
    assert "Order" not in notebook.shell.user_ns
    assert notebook.version(handle(notebook)) == "one"
    assert notebook.finish(handle(notebook)) == 3
    assert notebook.finish(notebook.paid("b")[0]) == 3, "new runs start on it, too"
    assert notebook.digest("b") == digest
    assert "restored" in repr(notebook.shell.run_line_magic("workflow", "definitions"))


def test_restored_code_shows_its_lines_whatever_cells_run(restart: Restart) -> None:
    begin(restart)
    notebook = restart()
    notebook.cell("1 + 1")
    trace = notebook.ask(handle(notebook).query("__enhanced_stack_trace"))
    (place,) = places(trace)
    assert "wait_condition" in place["source"]


def test_a_cell_takes_over_from_what_was_restored(restart: Restart) -> None:
    digest = begin(restart)
    notebook = restart()
    assert "open run" not in notebook.cell(flow())
    assert notebook.hosted() == [digest]
    said = notebook.cell(flow(version="two"))
    assert "Order: 1 open run continues on the new code" in said
    assert notebook.finish(handle(notebook)) == 3


def test_a_pinned_run_gets_its_stored_source_back_beside_the_edited_cell(restart: Restart) -> None:
    old = begin(restart)
    first = restart()
    first.cell(flow(SLEEP, version="two"))
    first.start("b")
    first.until("b", "TimerStarted")
    flush(first)
    notebook = restart()
    assert "2 runs are unfinished: 2 go on" in notebook.welcome  # type: ignore[attr-defined]
    assert notebook.version(handle(notebook, "a")) == "one"
    assert notebook.version(handle(notebook, "b")) == "two"
    notebook.cell(flow(SLEEP, version="two"))
    assert notebook.version(handle(notebook, "a")) == "one"
    assert notebook.digest("a") == old
    assert notebook.finish(handle(notebook, "a")) == 3
    assert notebook.version(notebook.start("c")) == "two"


def test_helpers_and_constants_come_along(restart: Restart) -> None:
    begin(
        restart,
        "from dataclasses import dataclass\nRATE = 10\n@dataclass\nclass Line:\n    n: int\n",
        "def price(line: Line) -> int:\n    return line.n * RATE\n",
        flow(result="price(Line(paid))"),
    )
    notebook = restart()
    assert notebook.finish(handle(notebook)) == 20


def test_a_run_that_never_began_is_counted_among_those_that_go_on(restart: Restart) -> None:
    first = restart()
    first.cell(flow())
    flush(first)
    restart().start("a")  # nobody has the code there
    notebook = restart()
    assert "1 run is unfinished: 1 goes on" in notebook.welcome  # type: ignore[attr-defined]
    notebook.until("a", "ActivityTaskCompleted")
    assert notebook.finish(handle(notebook)) == 3


def test_a_store_of_somebody_else_runs_nothing_and_says_how_to_look_at_it(restart: Restart, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    danger = flow().replace(
        "@workflow.defn\n", f"import pathlib\nLEAK = pathlib.Path({str(mark)!r}).write_text('x')\n@workflow.defn\n"
    )
    begin(restart, danger.replace("return paid + 1", "return paid + LEAK"), user="somebody else")
    mark.write_text("")
    notebook = restart()
    assert "1 run is unfinished: 1 waits for its definition" in notebook.welcome  # type: ignore[attr-defined]
    assert "Order (1 run): run orders.ipynb cell [1]" in notebook.welcome  # type: ignore[attr-defined]
    assert "or look at its stored code: %workflow restore Order" in notebook.welcome  # type: ignore[attr-defined]
    assert notebook.hosted() == []
    shown = repr(notebook.shell.run_line_magic("workflow", "restore Order"))
    assert "signed by somebody else" in shown
    assert "class Order:" in shown
    assert "Write --yes at the end of the line" in shown
    assert mark.read_text() == ""
    assert notebook.hosted() == []


def test_the_users_word_is_enough_for_code_of_somebody_else(restart: Restart) -> None:
    digest = begin(restart, user="somebody else")
    notebook = restart()
    run = notebook.shell.run_line_magic
    assert "open runs wait for code" not in repr(run("workflow", "restore"))  # one only: it is shown at once
    said = repr(run("workflow", "restore Order --yes"))
    assert "restored Order (version" in said
    assert "pay (version" in said
    assert "1 open run goes on" in said
    assert notebook.hosted() == [digest]
    assert notebook.finish(handle(notebook)) == 3
    with pytest.raises(NotebookError, match="runs here already"):
        run("workflow", "restore Order")
    again = restart()
    assert again.hosted() == [], "nobody is waiting, and it is still not signed by this user"


def test_a_run_can_be_named_instead_of_its_type(restart: Restart) -> None:
    begin(restart, user="somebody else")
    notebook = restart()
    assert "restored Order" in repr(notebook.shell.run_line_magic("workflow", "restore a --yes"))
    assert notebook.finish(handle(notebook)) == 3


def test_running_the_cell_again_is_enough_for_the_same_source(restart: Restart) -> None:
    digest = begin(restart, user="somebody else")
    notebook = restart()
    said = notebook.cell(flow())
    assert "1 unfinished run of Order goes on" in said
    assert notebook.digest("a") == digest
    assert notebook.finish(handle(notebook)) == 3
    flush(notebook)
    row = notebook.session.definitions.restorer.stored("workflow", "Order", digest)
    assert notebook.session.definitions.restorer.judge(row).may_run, "it bears this user's signature now"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE definitions SET source = source || 'import os' WHERE kind = 'workflow'",
        "UPDATE definitions SET source = 'raise SystemExit' WHERE kind = 'workflow'",
        "UPDATE definitions SET name = 'Other' WHERE kind = 'workflow'",
    ],
)
def test_a_tampered_row_is_refused_and_named_and_even_the_users_word_does_not_run_it(
    restart: Restart, tmp_path: Path, change: str
) -> None:
    digest = begin(restart)
    restart().session.definitions.keeper.holds("Order", digest)
    notebook = restart()
    extension.unload_ipython_extension(notebook.shell)
    tamper(tmp_path, change)
    notebook = restart()
    welcome = notebook.welcome  # type: ignore[attr-defined]
    assert "1 waits for its definition" in welcome
    assert f"(version {digest[:8]}) was not restored" in welcome
    assert "tampered with" in welcome
    assert notebook.hosted() == []
    if "name" not in change:
        with pytest.raises(RestoreError, match="tampered with"):
            notebook.shell.run_line_magic("workflow", "restore Order --yes")
        assert notebook.hosted() == []
        notebook.cell(flow())
        flush(notebook)
        row = notebook.session.definitions.restorer.stored("workflow", "Order", digest)
        assert notebook.session.definitions.restorer.judge(row).may_run, "running the cell puts the source right"
    assert "SystemExit" not in welcome


def test_an_activity_that_must_not_run_by_itself_is_told_of_with_the_cell_to_run(
    restart: Restart, tmp_path: Path
) -> None:
    begin(restart)
    tamper(tmp_path, "UPDATE definitions SET signature = '' WHERE kind = 'activity'")
    welcome = restart().welcome  # type: ignore[attr-defined]
    assert "Order was restored from the store" in welcome
    assert "activity pay (version" in welcome
    assert "not signed; run orders.ipynb cell [1]" in welcome


def test_a_forged_signature_is_refused(restart: Restart, tmp_path: Path) -> None:
    begin(restart)
    notebook = restart()
    extension.unload_ipython_extension(notebook.shell)
    tamper(tmp_path, "UPDATE definitions SET signature = 'hmac-sha256:' || substr(digest, 1, 64)")
    notebook = restart()
    assert notebook.hosted() == []
    assert "signed by somebody else, or the secret has changed" in repr(
        notebook.shell.run_line_magic("workflow", "definitions")
    )


def test_without_a_secret_this_is_said_once_and_runs_wait_for_their_cells(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> bytes:
        raise PermissionError("read-only home")

    notebook = restart()
    notebook.session.definitions._signer._read = refuse
    said = [notebook.cell(flow())]
    flush(notebook)
    said += [notebook.cell("x = 1"), notebook.cell("x = 2")]
    assert "".join(said).count("stored without your signature (PermissionError: read-only home)") == 1
    notebook.paid("a")
    notebook = restart()
    assert "1 waits for its definition" in notebook.welcome  # type: ignore[attr-defined]
    assert "not signed" in repr(notebook.shell.run_line_magic("workflow", "restore"))


def test_state_that_died_with_its_kernel_is_named_and_the_cell_helps(restart: Restart) -> None:
    lock = "import threading\nlock = threading.Lock()\n"
    cell = flow(result="paid + int(lock.locked())")
    begin(restart, lock, cell)
    notebook = restart()
    welcome = notebook.welcome  # type: ignore[attr-defined]
    assert "1 waits for its definition" in welcome
    assert "cannot be restored from its source alone: lock was a lock, which died with its kernel" in welcome
    notebook.cell(lock)
    notebook.cell(cell)
    assert notebook.finish(handle(notebook)) == 2


def test_restore_says_what_there_is_to_restore(restart: Restart) -> None:
    notebook = restart()
    assert "no open run waits" in repr(notebook.shell.run_line_magic("workflow", "restore"))
    with pytest.raises(Exception, match="no workflow type whose source is stored, and no run has this ID"):
        notebook.shell.run_line_magic("workflow", "restore nothing")
    for kind in ("Order", "Refund"):
        notebook.cell(flow().replace("Order", kind))
    for number, kind in enumerate(("Order", "Refund")):
        notebook.start(f"w{number}", kind=kind)
        notebook.until(f"w{number}", "ActivityTaskCompleted")
    flush(notebook)
    notebook = restart("somebody else")
    run = notebook.shell.run_line_magic
    overview = repr(run("workflow", "restore"))
    assert "Order (version" in overview
    assert "Refund (version" in overview
    assert "restored Order" in repr(run("workflow", "restore --all --yes"))
    assert len(run("workflow", "definitions").value) == 3


def test_code_that_came_in_a_capsule_waits_for_the_users_word_too(
    restart: Restart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = begin(restart)
    first = restart()
    first.shell.run_line_magic("workflow", f"export a {tmp_path}/a.capsule")
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/other.db")
    notebook = restart()
    run = notebook.shell.run_line_magic
    assert "goes on here" in repr(run("workflow", f"import {tmp_path}/a.capsule --resume"))
    assert notebook.hosted() == []
    assert "restored Order (version" in repr(run("workflow", "restore Order --yes"))
    assert notebook.hosted() == [digest]
    assert notebook.finish(handle(notebook)) == 3
