"""``durable_nb.progress`` outside of activities and in ``ActivityEnvironment``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

import durable_nb
from durable_nb.activity import _progress
from durable_nb.activity._progress import bar_line


def test_it_iterates_and_draws_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(durable_nb.progress("abc", label="letters")) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert "letters 100% |" in shown
    assert shown.endswith("\n")


def test_a_generator_is_only_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(durable_nb.progress(n for n in range(4))) == 6
    assert "%" not in capsys.readouterr().err


async def test_it_goes_through_asynchronous_iterables(capsys: pytest.CaptureFixture[str]) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    assert [n async for n in durable_nb.progress(numbers(), total=3)] == [0, 1, 2]
    assert "100%" in capsys.readouterr().err


def test_steps_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    for step in range(1, 4):
        durable_nb.progress(step, 3)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert shown.endswith("\n")


def test_in_a_notebook_it_is_one_output_that_is_updated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[dict[str, Any]] = []
    publisher = SimpleNamespace(publish=lambda **message: published.append(message))
    shell = SimpleNamespace(kernel=object(), display_pub=publisher, execution_count=1)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(_progress, "_DRAW_EVERY", 0.0)
    for _ in durable_nb.progress(range(2), label="rows"):
        pass
    durable_nb.progress(1, 2)
    shell.execution_count += 1  # The cell was interrupted, and runs again.
    durable_nb.progress(1, 2)
    durable_nb.progress(2, 2)
    lines = [message["data"]["text/plain"].partition(" |")[0] for message in published]
    assert lines == ["rows   0%", "rows  50%", "rows 100%", " 50%", " 50%", "100%"]
    assert [message["update"] for message in published] == [False, True, True, False, False, True]
    assert len({message["transient"]["display_id"] for message in published}) == 3
    shell.kernel = None  # IPython in a terminal
    durable_nb.progress(1, 1)
    out, err = capsys.readouterr()
    assert (out, err.count("100%")) == ("", 1)


def test_leaving_early_ends_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    for number in durable_nb.progress(range(100)):
        if number == 2:
            break
    assert capsys.readouterr().err.endswith("\n")


def test_an_error_in_the_loop_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map((1).__floordiv__, durable_nb.progress(range(3))))


def test_its_length_is_that_of_the_items() -> None:
    assert len(durable_nb.progress([1, 2, 3])) == 3
    with pytest.raises(TypeError, match="not known"):
        len(durable_nb.progress(iter([1])))


def test_wrong_arguments_say_what_to_write() -> None:
    wrong: Any = object()
    with pytest.raises(TypeError, match=r"for x in progress\(items\)"):
        durable_nb.progress(wrong)
    lonely: Any = 3
    with pytest.raises(TypeError, match=r"progress\(3, 10\)"):
        durable_nb.progress(lonely)
    as_of_tqdm: Any = "rows"
    with pytest.raises(TypeError, match=r"write progress\(…, label='rows'\)"):
        durable_nb.progress([1, 2], as_of_tqdm)


def test_the_line_tells_how_long_it_will_take() -> None:
    assert bar_line(1, 4, "rows", 10.0) == "rows  25% |███████                       | 1/4 [00:10<00:30]"
    assert bar_line(0, 4, "", 0.0).endswith("[00:00<?]")
    assert bar_line(9, 4, "", 3700.0).startswith("100% |")
