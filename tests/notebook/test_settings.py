"""Settings: where they come from, which layer wins, and that mistakes in them are said and do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from durable_nb.notebook import extension
from durable_nb.notebook.settings import DurableNB, read_project


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """Writes pyproject.toml; gives the folder of a notebook two levels below it."""

    def write(text: str) -> Path:
        (tmp_path / "pyproject.toml").write_text(text)
        folder = tmp_path / "notebooks" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    return write


def test_defaults_hold_where_nobody_says_anything(tmp_path: Path) -> None:
    settings = DurableNB()
    assert settings.refresh({}, tmp_path) == []
    assert (settings.store, settings.task_queue, settings.on_edit) == ("", "durable_nb", "continue")
    assert (settings.live, settings.strict, settings.notices, settings.max_rows) == (True, False, True, 50)


def test_each_layer_wins_over_those_below_it(project: Callable[[str], Path]) -> None:
    folder = project('[tool.durable_nb]\non-edit = "pin"\nmax_rows = 7\nlive = false\n')
    settings = DurableNB(config=Config({"DurableNB": {"max_rows": 8}}))
    assert settings.refresh({"DURABLE_NB_ON_EDIT": "fail", "DURABLE_NB_LIVE": "true"}, folder) == []
    assert (settings.on_edit, settings.live) == ("fail", True), "the environment wins over the file"
    assert settings.max_rows == 8, "the configuration wins over the file"
    settings.update_config(Config({"DurableNB": {"max_rows": 9}}))
    assert settings.max_rows == 9
    settings.refresh({}, folder)
    assert (settings.on_edit, settings.live, settings.max_rows) == ("pin", False, 9), "layers below show up again"
    settings.refresh({}, folder.parent.parent.parent)
    assert (settings.on_edit, settings.live) == ("continue", True)


def test_the_environment_has_the_last_word_and_says_so(tmp_path: Path) -> None:
    settings = DurableNB()
    settings.refresh({"DURABLE_NB_ON_EDIT": "pin"}, tmp_path)
    with pytest.warns(UserWarning, match="DURABLE_NB_ON_EDIT is set in the environment and wins"):
        settings.update_config(Config({"DurableNB": {"on_edit": "fail"}}))
    assert settings.on_edit == "pin"
    settings.refresh({}, tmp_path)
    assert settings.on_edit == "fail"


def test_a_value_set_by_a_program_counts_as_said(project: Callable[[str], Path]) -> None:
    settings = DurableNB()
    settings.live = False
    settings.refresh({}, project("[tool.durable_nb]\nlive = true\n"))
    assert settings.live is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.durable_nb]\non-edti = 'pin'\n", "unknown option 'on-edti': did you mean 'on-edit'?"),
        ("[tool.durable_nb]\nfrobnicate = 1\n", "unknown option 'frobnicate'"),
        ("[tool.durable_nb]\non-edit = 'explode'\n", "on-edit: "),
        ("[tool.durable_nb]\nmax-rows = 'many'\n", "max-rows: "),
        ("[tool.durable_nb]\nmax-rows = 0\n", "max-rows: "),
        ("[tool]\ndurable_nb = 3\n", "is no table"),
        ("[tool.durable_nb\n", "cannot be read"),
        ("[tool.durable_nb]\n'\\u001b[31m' = 1\n", "unknown option"),
    ],
)
def test_a_mistake_in_the_file_is_said_and_changes_nothing(
    project: Callable[[str], Path], text: str, said: str
) -> None:
    settings = DurableNB()
    (problem,) = settings.refresh({}, project(text))
    assert said in problem
    assert "pyproject.toml" in problem
    assert "\x1b" not in problem
    assert {name: getattr(settings, name) for name in DurableNB.names()} == {
        name: getattr(DurableNB(), name) for name in DurableNB.names()
    }


def test_a_mistake_leaves_the_other_settings_of_the_file_alone(project: Callable[[str], Path]) -> None:
    settings = DurableNB()
    problems = settings.refresh({}, project("[tool.durable_nb]\nmax-rows = 'x'\nlive = false\nnope = 1\n"))
    assert len(problems) == 2
    assert settings.live is False


@pytest.mark.parametrize(
    ("variable", "text"), [("LIVE", "maybe"), ("MAX_ROWS", "x"), ("ON_EDIT", "explode"), ("LIVE_RATE", "1e9")]
)
def test_a_mistake_in_the_environment_is_said_and_the_next_layer_holds(
    project: Callable[[str], Path], variable: str, text: str
) -> None:
    folder = project("[tool.durable_nb]\nlive = false\nmax-rows = 7\non-edit = 'pin'\nlive-rate = 2\n")
    settings = DurableNB()
    (problem,) = settings.refresh({f"DURABLE_NB_{variable}": text}, folder)
    assert f"DURABLE_NB_{variable}" in problem
    assert (settings.live, settings.max_rows, settings.on_edit, settings.live_rate) == (False, 7, "pin", 2.0)


def test_the_nearest_file_that_has_the_table_counts(project: Callable[[str], Path]) -> None:
    folder = project("[tool.durable_nb]\nmax-rows = 7\n")
    (folder.parent / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    assert read_project(folder).values == {"max_rows": 7}
    (folder / "pyproject.toml").write_text("[tool.durable_nb]\nmax-rows = 3\n")
    assert read_project(folder).values == {"max_rows": 3}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///runs.db", "sqlite:///{root}/runs.db"),
        ("sqlite:///data/runs.db?busy_timeout=3", "sqlite:///{root}/data/runs.db?busy_timeout=3"),
        ("sqlite:////srv/runs.db", "sqlite:////srv/runs.db"),
        ("sqlite:///~/runs.db", "sqlite:///~/runs.db"),
        ("postgresql://host/runs", "postgresql://host/runs"),
        ("memory://", "memory://"),
    ],
)
def test_a_relative_store_is_beside_the_file_that_names_it(
    project: Callable[[str], Path], tmp_path: Path, url: str, expected: str
) -> None:
    folder = project(f"[tool.durable_nb]\nstore = '{url}'\n")
    assert read_project(folder).values["store"] == expected.format(root=tmp_path)


@pytest.fixture
def clean(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("DURABLE_NB_STORE", raising=False)
    yield
    session = getattr(shell, "durable_nb", None)
    extension.unload_ipython_extension(shell)
    if session is not None:
        session.engine.close()


def test_loading_obeys_the_file_and_tells_of_its_mistakes(
    shell: Any, clean: None, project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    text = "[tool.durable_nb]\nstore = 'sqlite:///team.db'\ntask-queue = 'team'\nstrickt = true\nstrict = true\n"
    monkeypatch.chdir(project(text))
    extension.load_ipython_extension(shell)
    out = capsys.readouterr().out
    assert "team.db" in out
    assert "unknown option 'strickt': did you mean 'strict'?" in out
    session = shell.durable_nb
    shell.run_cell("%%workflow\n@workflow.defn\nasync def double(n: int) -> int:\n    return n * 2\n").raise_error()
    handle = session.run(session.client.start_workflow("double", 4, id="d-1"))
    assert session.run(handle.result()) == 8
    assert session.run(handle.describe()).task_queue == "team"
    bad = "%%workflow\nimport time\n@workflow.defn\nasync def late() -> float:\n    return time.time()\n"
    assert not shell.run_cell(bad).success, "strict = true holds for every cell"


def test_config_shows_and_changes_the_settings(shell: Any, clean: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    extension.load_ipython_extension(shell)
    shell.run_line_magic("config", "DurableNB.strict = True")
    assert shell.durable_nb.settings.strict is True
    assert shell.run_line_magic("config", "DurableNB.strict") is True


def test_the_history_length_that_suggests_to_continue_as_new_is_set(
    shell: Any, clean: None, project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project("[tool.durable_nb]\nsuggest-continue-as-new = 77\n"))
    extension.load_ipython_extension(shell)
    session = shell.durable_nb

    async def suggested() -> int:
        return session.engine.engine.context("default").suggest_continue_as_new_at

    assert session.run(suggested()) == 77


def test_notices_can_be_switched_off(shell: Any, clean: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    extension.load_ipython_extension(shell)
    notice: Any = type("Notice", (), {"kind": "workflow_task_failed", "workflow_type": "x"})()
    assert shell.durable_nb._is_news(notice)
    shell.run_line_magic("config", "DurableNB.notices = False")
    assert not shell.durable_nb._is_news(notice)
