"""The dashboard without a browser: what it asks, what it shows, when it refreshes and when it stops."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_nb.analytics import Explorer, open_explorer
from durable_nb.notebook.dashboard.board import ALL, LOOKS_WITHOUT_VIEW, Dashboard
from durable_nb.notebook.dashboard.cards import cards
from durable_nb.notebook.dashboard.picture import Choice, Picture, state_of, take
from durable_nb.notebook.dashboard.refresher import Refresher
from durable_nb.notebook.subcommands import stats as command
from durable_nb.store import open_store
from tests.simulated import simulated
from tests.store import samples as s

pytestmark = pytest.mark.slow

END = datetime(2026, 11, 16, tzinfo=UTC)
DAY = Choice(timedelta(days=1))


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    opened = open_explorer(simulated(tmp_path_factory.mktemp("dashboard")))
    yield opened
    opened.close()


def at_the_end(explorer: Explorer, choice: Choice) -> Picture:
    return take(explorer, choice, now=END)


class Seen:
    """A dashboard whose looks are counted, and which looks only when told."""

    def __init__(self, explorer: Explorer, choice: Choice = DAY) -> None:
        self.looks: list[Choice] = []
        self.state = 0
        self.shown: list[tuple[str, str]] = []

        def look(asked: Explorer, wanted: Choice) -> Picture:
            self.looks.append(wanted)
            return at_the_end(asked, wanted)

        def show(workflow_id: str, run_id: str) -> str:
            self.shown.append((workflow_id, run_id))
            return f"<p>{workflow_id}</p>"

        self.board = Dashboard(explorer, show, choice, every=3600, look=look, state=lambda _: self.state)
        self.board.refresher.start = lambda: None  # type: ignore[method-assign]

    def refresh(self) -> bool:
        self.state += 1
        return self.board._refresh()


@pytest.fixture
def seen(explorer: Explorer) -> Iterator[Callable[..., Seen]]:
    made: list[Seen] = []

    def make(choice: Choice = DAY) -> Seen:
        made.append(Seen(explorer, choice))
        return made[-1]

    yield make
    for each in made:
        each.board.close()


def test_the_counters_count_what_happened_in_the_stretch(explorer: Explorer) -> None:
    picture = at_the_end(explorer, DAY)
    begin = END - timedelta(days=1)
    expected = explorer.frame(
        "SELECT count(*) FILTER (status = 'Running') AS running, count(*) FILTER (status = 'Completed') AS completed "
        "FROM runs WHERE start_time >= $t OR close_time >= $t OR close_time IS NULL",
        {"t": begin},
    ).iloc[0]
    assert picture.counters["running"] == expected["running"] > 0
    assert picture.counters["completed"] == expected["completed"] > 0
    assert picture.throughput.frame["began_at"].min() >= begin - timedelta(hours=1)
    everything = at_the_end(explorer, Choice(None))
    assert everything.types["runs"].sum() == explorer.frame("SELECT count(*) AS n FROM runs")["n"][0]
    one = at_the_end(explorer, Choice(None, "ImportFile", "failed"))
    assert set(one.runs["workflow_type"]) == {"ImportFile"}
    assert set(one.runs["status"]) == {"Failed"}
    assert set(at_the_end(explorer, Choice(timedelta(minutes=1), "", "open")).runs["status"]) == {"Running"}


def test_an_empty_store_has_a_picture(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    open_store(url).close()
    empty = open_explorer(url)
    board = Dashboard(empty, lambda *_: "", Choice(), every=3600)
    assert "0 running" in repr(board)
    assert set(state_of(empty)) == {0}
    board.close()
    empty.close()


def test_the_state_changes_when_a_worker_takes_an_activity_which_leaves_no_event(tmp_path: Any) -> None:
    run = s.run_row(1, next_event_id=2)
    with closing(open_store(f"sqlite:///{tmp_path}/one.db")) as store, closing(open_explorer(store)) as opened:
        store.commit([s.unit(s.insert(run, events=[s.event_row(1)], put_activities=[s.activity_row(1)]))])
        waiting = state_of(opened)
        taken = s.activity_row(1, owner=1, state=b'{"startedTime":5,"identity":"me"}')
        store.commit([s.unit(s.update(run, put_activities=[taken]))])
        assert take(opened, Choice(None)).counters["started"] == 1
        assert state_of(opened) != waiting
        assert state_of(opened) == state_of(opened)


def test_it_shows_itself_with_widgets_with_a_table_and_as_text(seen: Callable[..., Seen]) -> None:
    board = seen().board
    bundle = board._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "OrderWorkflow" in bundle["text/html"]
    assert "<table" in bundle["text/html"]
    assert "OrderWorkflow" in bundle["text/plain"]
    json.dumps(bundle)
    plain = re.sub(r' style="[^"]*"', "", bundle["text/html"])
    assert ">running</th>" in plain, "numbers and words are a table where no style is allowed"
    latency = board.figures["latency"].value
    assert latency.count("pack_parcel") == 1, "one row for each type of activity"
    assert all(name in latency for name in ("queue p99", "run p50", "total p99"))
    assert " completed, " in board.figures["throughput"].value


def test_choosing_a_type_leads_to_its_runs_and_a_run_to_its_display(seen: Callable[..., Seen]) -> None:
    found = seen()
    board = found.board
    board.types.value = "ShipmentWorkflow"
    assert found.refresh()
    assert found.looks[-1].workflow_type == "ShipmentWorkflow"
    assert all(workflow_id.startswith("shipment-") for _, (workflow_id, _) in board.runs.options)
    board.runs.value = board.runs.options[1][1]
    assert found.refresh()
    assert found.shown == [board.runs.value]
    assert f"<p>{board.runs.value[0]}</p>" in board.detail.value
    board.types.value = ALL
    assert found.refresh()
    assert found.looks[-1].workflow_type == ""
    assert board.types.value == ALL
    board.window.value = "everything"
    board.order.value = "failed runs"
    assert found.refresh()
    assert found.looks[-1] == Choice(None, "", "failed")


def test_nothing_is_asked_again_while_nothing_happens(seen: Callable[..., Seen]) -> None:
    found = seen()
    assert found.refresh()
    looks = len(found.looks)
    assert found.board._refresh()
    assert len(found.looks) == looks
    assert found.refresh()
    assert len(found.looks) == looks + 1


def test_it_stops_when_no_view_is_left_and_goes_on_when_one_appears(seen: Callable[..., Seen]) -> None:
    found = seen()
    board = found.board
    started: list[bool] = []
    board.refresher.start = lambda: started.append(True)  # type: ignore[method-assign]
    assert all(found.refresh() for _ in range(2 * LOOKS_WITHOUT_VIEW)), "the news of a view may be late"
    board.root._view_count = 1
    assert found.refresh()
    board.root._view_count = 0
    assert [found.refresh() for _ in range(LOOKS_WITHOUT_VIEW)] == [True] * (LOOKS_WITHOUT_VIEW - 1) + [False]
    assert "not shown" in board.status.value
    count = len(started)
    board.root._view_count = 1
    assert len(started) == count + 1
    board.close()
    assert not found.board._is_seen()


def test_a_pause_holds_and_a_choice_ends_it(seen: Callable[..., Seen]) -> None:
    board = seen().board
    board.paused.value = True
    assert "paused" in board.status.value
    board.window.value = "7 days"
    assert board.paused.value is False


def test_texts_from_payloads_are_escaped(explorer: Explorer) -> None:
    evil = "<script>alert(1)</script>"
    picture = at_the_end(explorer, DAY)
    picture.types.loc[0, "workflow_type"] = evil
    board = Dashboard(explorer, lambda *_: "", DAY, every=3600, look=lambda *_: picture)
    board._tell(ValueError(evil))
    assert "<script" not in board.status.value
    assert "<script" not in board._repr_mimebundle_()["text/html"]
    assert "<script" not in cards(picture)
    board.refresher.stop()
    board.refresher.join(30)
    board.close()


# -- the thread ----------------------------------------------------------------------------------------------------


def test_the_thread_looks_again_when_nudged_survives_errors_and_stops() -> None:
    looks: list[int] = []
    told: list[Exception] = []
    looked = threading.Semaphore(0)

    def work() -> bool:
        looks.append(len(looks))
        looked.release()
        if len(looks) == 2:
            raise ValueError("once")
        return True

    refresher = Refresher(3600, work, told.append)
    refresher.start()
    for _ in range(3):
        assert looked.acquire(timeout=30)
        refresher.nudge()
    refresher.start()  # It runs already.
    refresher.stop()
    refresher.join(30)
    assert not refresher.is_running
    assert [str(error) for error in told] == ["once"]


def test_the_thread_ends_by_itself_and_can_be_started_again() -> None:
    looked = threading.Semaphore(0)

    def work() -> bool:
        looked.release()
        return False

    refresher = Refresher(0.0, work, lambda _: None)
    for _ in range(2):
        refresher.start()
        assert looked.acquire(timeout=30)
        refresher.join(30)
        assert not refresher.is_running


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_knows_all_statistics() -> None:
    from durable_nb.analytics.statistics import STATISTICS

    assert set(command.NAMES) == set(STATISTICS)


@pytest.fixture
def session_shell(shell: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("DURABLE_NB_STORE", simulated(tmp_path))
    shell.run_line_magic("load_ext", "durable_nb")
    yield shell
    engine = shell.durable_nb.engine
    shell.run_line_magic("unload_ext", "durable_nb")
    engine.close()


def test_the_magic_gives_dashboards_and_statistics(session_shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def magic(line: str) -> Any:
        return session_shell.run_line_magic("workflow", line)

    board = magic("stats --type OrderWorkflow --since 30d")
    assert board.choice == Choice(timedelta(days=30), "OrderWorkflow")
    board.close()
    rates = magic("stats success_rate --by task_queue --where workflow_type=OrderWorkflow")
    assert rates.frame["task_queue"].tolist() == ["orders"]
    assert len(magic("stats critical_path order-000011").frame) > 3
    session_shell.user_ns["prices"] = {"train_epoch": 2.5}
    assert magic("stats cost --input {prices}").frame["cost"].max() > 0
    assert "-- $top = 3" in repr(magic("stats slowest_activities --top 3 --sql"))
    for line, says in (
        ("stats sucess_rate", "did you mean 'success_rate'"),
        ("stats success_rate --every 1h", "takes no --every"),
        ("stats critical_path", "it needs workflow_id"),
        ("stats cost", "--input {prices}"),
        ("stats --by day", "the dashboard takes no --by"),
        ("stats success_rate --where status", "has no value"),
    ):
        with pytest.raises(Exception, match="DNB") as raised:
            magic(line)
        assert says in str(raised.value), line
