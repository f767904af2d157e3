"""Loading, reloading and unloading in a shell, with a real engine and no kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from durable_nb.client import Client
from durable_nb.notebook import extension, handle_timeline

FLOW = "%%workflow\n@workflow.defn\nasync def double(n: int) -> int:\n    return n * 2\n"


@pytest.fixture
def load(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Loads the extension on a store of the test; engines are closed afterwards."""
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    engines: list[Any] = []

    def do() -> Any:
        extension.load_ipython_extension(shell)
        engines.append(shell.durable_nb.engine)
        return shell.durable_nb

    yield do
    extension.unload_ipython_extension(shell)
    for engine in engines:
        engine.close()


def test_loading_offers_the_client_and_the_two_modules(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    load()
    assert isinstance(shell.user_ns["client"], Client)
    assert shell.user_ns["workflow"].__name__ == "durable_nb.workflow"
    assert shell.user_ns["activity"].__name__ == "durable_nb.activity"
    assert "no run is unfinished" in capsys.readouterr().out


def test_names_of_the_user_are_kept(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    shell.user_ns["client"] = "mine"
    load()
    assert shell.user_ns["client"] == "mine"
    assert "your variable `client` was kept" in capsys.readouterr().out


def test_a_second_load_says_so_and_changes_nothing(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    session = load()
    capsys.readouterr()
    assert load() is session
    assert "loaded already" in capsys.readouterr().out


def test_unloading_takes_everything_back(shell: Any, load: Callable[..., Any]) -> None:
    def picture() -> Any:
        manager, events = shell.input_transformer_manager, shell.events.callbacks
        magics = {kind: set(found) for kind, found in shell.magics_manager.magics.items()}
        formatters = dict(shell.display_formatter.mimebundle_formatter.deferred_printers)
        return (
            list(manager.cleanup_transforms),
            list(shell.ast_transformers),
            {name: list(found) for name, found in events.items()},
            magics,
            formatters,
            shell.custom_exceptions,
            set(shell.user_ns),
        )

    before = picture()
    load()
    assert picture() != before
    extension.unload_ipython_extension(shell)
    assert picture() == before
    assert not hasattr(shell, "durable_nb")
    extension.unload_ipython_extension(shell)


def test_after_a_reload_definitions_and_handles_still_work(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    session = load()
    shell.run_cell(FLOW).raise_error()
    handle = shell.run_line_magic("workflow", "start double --id d-1 --input 4")
    extension.unload_ipython_extension(shell)
    again = load()
    assert again is not session
    assert again.types() == ["double"]
    assert again.run(handle.result()) == 8
    assert shell.run_line_magic("workflow", "result d-1") == 8
    capsys.readouterr()


def test_definitions_of_before_the_load_are_served(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    shell.run_cell("from durable_nb import workflow\n" + FLOW.split("\n", 1)[1]).raise_error()
    session = load()
    assert session.run(session.client.execute_workflow("double", 3, id="x")) == 6
    capsys.readouterr()


def test_the_source_of_a_cell_is_in_the_store(shell: Any, load: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/orders.ipynb")
    session = load()
    shell.run_cell(FLOW, store_history=True).raise_error()
    session._disk.submit(lambda: None).result()
    row = session.engine.store.latest_definition("workflow", "double")
    assert row.source == "from durable_nb import workflow\n\n" + FLOW.split("\n", 1)[1]
    assert row.origin == "orders.ipynb cell [1]"
    assert session.definition_note("double") == "run orders.ipynb cell [1]"
    assert session.definition_note("other") == "run the cell or import the module that defines it"
    assert session.definition_note("duble").endswith("defines it: did you mean 'double'?")


@pytest.mark.parametrize("url", ["localhost:7233", "durable.db", "nosuchdb:///x"])
def test_a_bad_store_is_a_short_error_and_leaves_nothing_half_loaded(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, url: str
) -> None:
    monkeypatch.setenv("DURABLE_NB_STORE", url)
    shell.user_ns["load"] = lambda: extension.load_ipython_extension(shell)
    result = shell.run_cell("load()")
    out = capsys.readouterr().out
    assert result.error_in_exec.code == "DNB501"
    assert "Traceback" not in out
    assert re.search(r"fix +\S", out)
    assert not hasattr(shell, "durable_nb")
    extension.unload_ipython_extension(shell)


def test_the_store_of_the_configuration_is_used_unless_the_environment_names_one(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DURABLE_NB_STORE", raising=False)
    assert extension.store_url(shell) == "sqlite:///durable.db"
    shell.run_line_magic("config", 'DurableNB.store = "sqlite:///other.db"')
    assert extension.store_url(shell) == "sqlite:///other.db"
    monkeypatch.setenv("DURABLE_NB_STORE", "sqlite:///env.db")
    assert extension.store_url(shell) == "sqlite:///env.db"


def test_magics_show_lists_runs_and_histories(shell: Any, load: Callable[..., Any], capsys: Any) -> None:
    load()
    shell.run_cell(FLOW).raise_error()
    shell.run_line_magic("workflow", "start double --id d-1 --input 4")
    shell.run_line_magic("workflow", "result d-1")
    assert re.search(r"d-1 +double +COMPLETED", repr(shell.run_line_magic("workflow", "list --status completed")))
    shown = shell.run_line_magic("workflow", "show d-1")
    assert re.search(r"result +8", repr(shown))
    assert "<table" in shown._repr_mimebundle_()["text/html"]
    assert "WorkflowExecutionCompleted" in repr(shell.run_line_magic("workflow", "history d-1"))
    assert '"events"' in shell.run_line_magic("workflow", "history d-1 --json")
    assert "double" in repr(shell.run_line_magic("workflow", "definitions"))
    runs = shell.run_line_magic("workflow", "list").value
    assert [run.id for run in runs] == ["d-1"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show d-2", "there is no workflow 'd-2': did you mean 'd-1'?"),
        ("start Double", "there is no workflow 'Double' here: did you mean 'double'?"),
        ("signal d-1 go", "already completed"),
    ],
)
def test_slips_are_answered_with_the_names_that_exist(
    shell: Any, load: Callable[..., Any], line: str, said: str
) -> None:
    session = load()
    shell.run_cell(FLOW).raise_error()
    session.run(session.client.execute_workflow("double", 1, id="d-1"))
    result = shell.run_cell(f"%workflow {line}")
    assert said in str(result.error_in_exec)


def test_the_magic_of_a_cell_can_also_be_called(shell: Any, load: Callable[..., Any]) -> None:
    session = load()
    shell.run_cell_magic("workflow", "", FLOW.split("\n", 1)[1])
    assert session.types() == ["double"]
    assert "top-level ``await``" in shell.find_cell_magic("workflow").__doc__


def test_completion_follows_the_session_of_the_moment(shell: Any, load: Callable[..., Any]) -> None:
    def offered() -> set[str]:
        line = "%workflow show c"
        with provisionalcompleter():
            return {found.text for found in shell.Completer.completions(line, len(line))}

    session = load()
    session.run(session.client.start_workflow("later", id="c-1"))
    assert "c-1" in offered()
    extension.unload_ipython_extension(shell)
    assert "c-1" not in offered()
    load()
    assert "c-1" in offered()


def test_the_timeline_of_a_handle_is_text(shell: Any, load: Callable[..., Any]) -> None:
    session = load()
    text = FLOW.replace("return n * 2", "await workflow.sleep(0.01)\n    return n")
    shell.run_cell(text).raise_error()
    handle = session.run(session.client.start_workflow("double", 1, id="t-1"))
    session.run(handle.result())
    assert re.search(r"timer 1 \|.*✓ *\|", session.run(handle_timeline(handle)))


def test_a_handle_of_a_run_that_is_not_there_says_so(shell: Any, load: Callable[..., Any]) -> None:
    load()
    data = shell.user_ns["client"].get_workflow_handle("nope")._repr_mimebundle_()
    assert "not found" in data["text/plain"]
    assert "nope" in data["text/html"]
