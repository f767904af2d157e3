"""Questions that take long: they are interrupted, say how far they are, and stop at their limit."""

from __future__ import annotations

import _thread
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_nb.analytics import Explorer, watch
from durable_nb.errors import ResultCutWarning
from tests.analytics.test_questions import explorer
from tests.waiting import block_until

__all__ = ["explorer"]


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """An interrupt counts also where the tests were started in the background, which leaves it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ENDLESS = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range < 0"


@pytest.mark.slow
def test_a_question_that_the_user_interrupts_ends_at_once_and_the_next_is_answered(explorer: Explorer) -> None:
    def is_asked() -> bool:
        return any(thread.name == "durable_nb query" for thread in threading.enumerate())

    def interrupt() -> None:
        block_until(is_asked)
        _thread.interrupt_main()

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        explorer.frame(ENDLESS)
    other.join()
    assert explorer.frame("SELECT 1 AS a").a[0] == 1
    block_until(lambda: not is_asked())


def test_an_interrupt_that_strikes_while_the_question_is_being_started_ends_it(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def started_and_struck(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "durable_nb query":
            raise KeyboardInterrupt

    with monkeypatch.context() as struck:
        struck.setattr(threading.Thread, "start", started_and_struck)
        with pytest.raises(KeyboardInterrupt):
            explorer.frame(ENDLESS)
    block_until(lambda: all(thread.name != "durable_nb query" for thread in threading.enumerate()))
    assert explorer.frame("SELECT 1 AS a").a[0] == 1


@pytest.mark.slow
def test_a_long_answer_can_be_interrupted_while_it_is_fetched(explorer: Explorer) -> None:
    told: list[str] = []

    def interrupt(text: str) -> None:
        if not told:  # once: another one could strike when the answer is no longer waited for
            _thread.interrupt_main()
        told.append(text)

    with pytest.raises(KeyboardInterrupt):
        explorer.frame("SELECT range AS i FROM range(100000000)", limit=None, progress=interrupt)
    assert len(explorer.frame("SELECT * FROM range(3)")) == 3


@pytest.mark.slow
def test_a_long_question_says_for_how_long_it_runs_and_can_be_interrupted(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.0)
    told: list[str] = []

    def progress(text: str) -> None:
        told.append(text)
        if len(told) == 3:
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        explorer.frame(ENDLESS, progress=progress)
    assert {text.partition(" for ")[0] for text in told} == {"the query has been running"}
    assert explorer.frame("SELECT 1 AS a").a[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_ten_million_rows_are_streamed_with_progress_and_cut_with_a_warning(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch, as_: str
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 3600.0)  # only rows are told of
    told: list[str] = []
    query = "SELECT range AS i FROM range(10000000)"
    with pytest.warns(ResultCutWarning, match="cut after 300,000 rows; it has more") as caught:
        frame = explorer.frame(query, as_=as_, limit=300_000, progress=told.append)  # type: ignore[arg-type]
    assert Path(caught[0].filename).name == Path(__file__).name
    assert len(frame) == 300_000
    assert told
    assert len(told) < 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(explorer.frame(query, as_=as_, limit=None)) == 10_000_000  # type: ignore[arg-type]
