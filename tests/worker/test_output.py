"""What activities print, log and report of their progress is kept with the attempt, and still goes where it went."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import logging
import multiprocessing
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

import durable_nb
from durable_nb import activity, workflow
from durable_nb.activity._context import enter, leave
from durable_nb.client import ActivityOutput, Client
from durable_nb.common import RetryPolicy
from durable_nb.engine import EngineHandle, open_engine
from durable_nb.exceptions import ApplicationError
from durable_nb.model.progress import Progress, of_payloads
from durable_nb.model.requests import Target
from durable_nb.service import RPCError
from durable_nb.worker import SharedStateManager, Worker
from durable_nb.worker._output import ListeningStream, listen, stop_listening

MINUTE = timedelta(minutes=1)
other_logger = logging.getLogger("tests.worker.output")


@activity.defn(start_to_close_timeout=MINUTE)
async def speaks(name: str) -> None:
    print(f"{name} begins")
    await asyncio.sleep(0)
    print("to stderr", file=sys.stderr)
    other_logger.warning("careful, %s", name)
    activity.logger.info("details of %s", name)
    await asyncio.to_thread(print, f"{name} in a thread")


@activity.defn(start_to_close_timeout=MINUTE)
def speaks_in_thread(name: str) -> None:
    print(f"{name} in the pool")
    try:
        raise ValueError("inner")
    except ValueError:
        other_logger.exception("it went wrong")


@activity.defn(start_to_close_timeout=MINUTE, retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)))
async def fails_once() -> None:
    print(f"attempt {activity.info().attempt}")
    if activity.info().attempt == 1:
        raise ApplicationError("not yet")


@activity.defn(start_to_close_timeout=MINUTE)
async def huge() -> None:
    print("first" + "x" * 10_000_000 + "last\ud800")


@activity.defn(start_to_close_timeout=MINUTE)
async def counts(items: int) -> list[int]:
    return [item async for item in durable_nb.progress(_numbers(items), total=items, label="items")]


@activity.defn(start_to_close_timeout=MINUTE)
def counts_in_thread(items: int) -> list[int]:
    return list(durable_nb.progress(range(items)))


@activity.defn(start_to_close_timeout=MINUTE)
def in_other_process(items: int) -> int:
    print("from another process")
    durable_nb.progress(items, items)
    return items


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str, args: list[Any]) -> Any:
        return await workflow.execute_activity(
            name,
            args=args,
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(initial_interval=timedelta(0, 0.001)),
        )


ALL = [speaks, speaks_in_thread, fails_once, huge, counts, counts_in_thread]


@pytest.fixture(autouse=True)
def _streams() -> Iterator[None]:
    yield
    stop_listening()


@asynccontextmanager
async def working(url: str = "memory://", **options: Any) -> AsyncIterator[tuple[Client, EngineHandle]]:
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    with ThreadPoolExecutor(2) as pool:
        options.setdefault("activity_executor", pool)
        options.setdefault("activities", ALL)
        async with Worker(client, task_queue="q", workflows=[Calls], **options):
            yield client, engine
    engine.close()


async def call(client: Client, name: str, *args: Any) -> Any:
    handle = await client.start_workflow(Calls.run, args=[name, list(args)], id=f"call-{name}", task_queue="q")
    await handle.result()
    return handle


async def test_prints_and_log_records_of_an_async_activity_are_kept_and_still_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with working() as (client, _):
        output = await (await call(client, "speaks", "anna")).output("1")
    assert output.stdout == "anna begins\nanna in a thread\n"
    assert output.stderr == "to stderr\n"
    assert output.log == "WARNING tests.worker.output: careful, anna\nINFO durable_nb.activity: details of anna\n"
    assert [stream for stream, _ in output.chunks] == ["stdout", "stderr", "log", "stdout"]
    printed = capsys.readouterr()
    assert printed.out == "anna begins\nanna in a thread\n"
    assert "to stderr" in printed.err
    assert [record.getMessage() for record in caplog.records] == ["careful, anna"]


async def test_what_no_kernel_can_send_is_printed_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    async with working() as (client, _):
        output = await (await call(client, "speaks", "half \ud800")).output("1")
    assert "begins" in output.stdout
    assert "half \\ud800 begins\n" in capsys.readouterr().out


async def test_prints_and_tracebacks_of_a_threaded_activity_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    async with working() as (client, _):
        output = await (await call(client, "speaks_in_thread", "bob")).output("1")
    assert output.stdout == "bob in the pool\n"
    assert output.log.startswith("ERROR tests.worker.output: it went wrong\nTraceback")
    assert "ValueError: inner" in output.log
    assert capsys.readouterr().out == "bob in the pool\n"


async def test_what_others_print_meanwhile_is_not_the_activitys(capsys: pytest.CaptureFixture[str]) -> None:
    async with working() as (client, _):
        handles = [
            await client.start_workflow(Calls.run, args=["speaks", [f"n{n}"]], id=f"w{n}", task_queue="q")
            for n in range(8)
        ]
        print("an ordinary cell")
        outputs = [(await handle.result(), await handle.output("1"))[1] for handle in handles]
    for number, output in enumerate(outputs):
        assert output.stdout == f"n{number} begins\nn{number} in a thread\n"
    assert "an ordinary cell\n" in capsys.readouterr().out


async def test_each_attempt_has_its_own_output() -> None:
    async with working() as (client, _):
        handle = await call(client, "fails_once")
        outputs = await handle.output()
        assert [(output.attempt, output.stdout) for output in outputs] == [(1, "attempt 1\n"), (2, "attempt 2\n")]
        assert (await handle.output("1")).attempt == 2
        assert (await handle.output("1", 1)).stdout == "attempt 1\n"
        with pytest.raises(RPCError, match=r"activity '7' of workflow .* activities that did: '1'"):
            await handle.output("7")


async def test_of_endless_output_the_beginning_and_the_end_are_kept() -> None:
    async with working() as (client, _):
        output = await (await call(client, "huge")).output("1")
    assert output.written == 10_000_011
    assert output.cut == 10_000_011 - 16_384 - 49_152
    assert str(output).startswith("firstxxx")
    assert str(output).endswith("last\\ud800\n")
    assert "characters were left out" in repr(output)


async def test_the_output_is_read_again_after_the_process_ended(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/durable.db"
    async with working(url) as (client, _):
        await call(client, "speaks", "anna")
    engine = open_engine(url, own_thread=False)
    handle: Any = Client(engine).get_workflow_handle("call-speaks")
    assert (await handle.output("1")).stdout == "anna begins\nanna in a thread\n"
    engine.close()


async def test_output_is_stored_off_the_path_of_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durable_nb.engine.outputs.FLUSH_SECONDS", 3600.0)
    async with working(f"sqlite:///{tmp_path}/durable.db") as (client, engine):
        await call(client, "speaks", "anna")
        commits = engine.commit_stats.commits
        assert engine.store.read_outputs(1) == []
        engine.engine.outputs.flush()
        assert engine.commit_stats.commits == commits
        assert len(engine.store.read_outputs(1)) == 1
        assert engine.engine.outputs.unstored(1) == {}


async def test_progress_is_kept_and_does_not_change_the_items() -> None:
    async with working() as (client, _):
        handle = await call(client, "counts", 5)
        assert await handle.result() == [0, 1, 2, 3, 4]
        (raw,) = await client.frontend.read_outputs(Target("default", handle.id))
        assert (raw.progress.done, raw.progress.total, raw.progress.label) == (5, 5, "items")
        assert await (await call(client, "counts_in_thread", 3)).result() == [0, 1, 2]


@activity.defn
async def resumes() -> list[Any]:
    if activity.info().attempt == 1:
        activity.heartbeat("cursor-17")
        durable_nb.progress(1, 3)
        raise ApplicationError("once more", next_retry_delay=timedelta(milliseconds=1))
    return list(activity.info().heartbeat_details)


async def test_reports_of_progress_do_not_mix_with_the_activitys_own_heartbeat_details() -> None:
    async with working(activities=[resumes]) as (client, _):
        handle = await call(client, "resumes")
        assert await handle.result() == ["cursor-17"]
        (attempt, _) = await client.frontend.read_attempts(Target("default", handle.id))
        assert of_payloads(attempt.heartbeat_details) == Progress(1, 3, started_at=ANY, started_done=1)


@pytest.mark.slow
async def test_an_activity_in_another_process_is_heard_too() -> None:
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        shared = SharedStateManager.create_from_multiprocessing(manager)
        options: dict[str, Any] = {"activities": [in_other_process], "activity_executor": pool}
        async with working(shared_state_manager=shared, **options) as (client, _):
            handle = await call(client, "in_other_process", 4)
            assert (await handle.output("1")).stdout == "from another process\n"
            (raw,) = await client.frontend.read_outputs(Target("default", handle.id))
            assert raw.progress.done == 4


class PythonStream(io.StringIO):
    """A stream of a class that can be changed, like that of a kernel."""


@pytest.mark.parametrize("kind", [io.StringIO, PythonStream])
def test_streams_that_others_put_in_place_are_listened_to_and_given_back(
    kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = kind()
    monkeypatch.setattr(sys, "stdout", inner)
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        listen()
        print("x")
    assert caught.getvalue() == "x\n"
    assert sys.stdout is inner
    listen()
    before = sys.stdout
    assert isinstance(before, kind) or kind is io.StringIO
    listen()
    assert sys.stdout is before
    print("y")
    stop_listening()
    assert sys.stdout is inner
    assert type(inner) is kind
    print("z")
    assert inner.getvalue() == "y\nz\n"


@pytest.mark.parametrize("kind", [io.StringIO, PythonStream])
def test_a_write_that_ipython_puts_on_a_stream_for_a_cell_neither_loops_nor_deafens(
    kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", kind())
    heard: list[str] = []
    context = SimpleNamespace(record=lambda stream, text: heard.append(text), _logger_details=None)

    def tee(write: Any) -> Any:
        return functools.partial(write)

    def cell(number: int) -> None:
        stream: Any = sys.stdout
        before = stream.write
        if kind is PythonStream or number != 1:
            stream.write = tee(before)
        listen()
        print(f"in cell {number}")
        if kind is PythonStream or number != 1:
            stream.write = before
        print(f"after cell {number}")

    token = enter(context)  # type: ignore[arg-type]
    try:
        for number in (1, 2, 3):
            cell(number)
    finally:
        leave(token)
    lines = [f"{when} cell {number}" for number in (1, 2, 3) for when in ("in", "after")]
    assert "".join(heard).splitlines() == lines
    stream: Any = sys.stdout
    assert stream.getvalue().splitlines() == lines
    stop_listening()


def test_a_listening_stream_is_the_stream_in_every_other_respect(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = io.StringIO()
    monkeypatch.setattr(sys, "stdout", inner)
    listen()
    stream: Any = sys.stdout
    assert type(stream) is ListeningStream
    stream.writelines(["a\n", "b\n"])
    assert (inner.getvalue(), stream.readable(), stream.closed) == ("a\nb\n", True, False)


def test_an_output_shows_itself_without_anything_that_acts() -> None:
    output = ActivityOutput(
        activity_id="1", activity_type="<b>", attempt=1,
        chunks=[("stdout", "0%\r50%\r100%\n\x1b[31mred\x1b[0m <script>alert(1)</script>\x07")],
        written=1, cut=0, updated_at=None,
    )  # fmt: skip
    assert repr(output) == "<b> (activity 1), attempt 1\n100%\nred <script>alert(1)</script>\\x07"
    html = output._repr_html_()
    assert "<script>" not in html
    assert "&lt;b&gt;" in html


def test_threads_of_their_own_belong_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    listen()
    thread = threading.Thread(target=print, args=("nobody's",))
    thread.start()
    thread.join()
    assert capsys.readouterr().out == "nobody's\n"
