"""The widget's state: it follows a run, answers its viewers, and is readable where no widget can live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.errors import NotebookError
from durable_nb.model.requests import Target
from durable_nb.notebook.timelines import timeline
from durable_nb.service import RPCError
from durable_nb.testing import WorkflowEnvironment
from durable_nb.widgets.following import Following
from durable_nb.widgets.packing import unpack
from durable_nb.widgets.reading import TimelineReader
from durable_nb.worker import Worker

SOON = timedelta(hours=1)


class Gates:
    """What activities wait for, by name."""

    open: dict[str, asyncio.Event] = {}


@activity.defn
async def pass_gate(name: str) -> str:
    if activity.info().attempt == 1 and name == "first":
        raise RuntimeError("<b>closed</b>")
    await Gates.open.setdefault(name, asyncio.Event()).wait()
    return name


@workflow.defn
class Inner:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(pass_gate, "inner", start_to_close_timeout=SOON)


@workflow.defn
class Outer:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(pass_gate, "first", start_to_close_timeout=SOON)
        return await workflow.execute_child_workflow(Inner.run, id="inner-1")


class Widget:
    """Stands for the widget: keeps what it is given."""

    def __init__(self) -> None:
        self.is_open = True
        self.message = ""
        self.sent: list[dict[str, Any]] = []
        self.changed = asyncio.Event()
        self._packed = b""

    @property
    def packed(self) -> bytes:
        return self._packed

    @packed.setter
    def packed(self, value: bytes) -> None:
        self._packed = value
        self.changed.set()

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            await self.changed.wait()
            self.changed.clear()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    Gates.open.clear()
    async with (
        await WorkflowEnvironment.start_local() as env,
        Worker(env.client, task_queue="q", workflows=[Outer, Inner], activities=[pass_gate]),
    ):
        yield env.client


def target(client: Client, workflow_id: str = "outer-1") -> Target:
    return Target(client.namespace, workflow_id)


def runs(widget: Widget, gate: str = "pass_gate") -> list[int]:
    """Outcomes of the bars of attempts."""
    read = unpack(widget.packed)
    lanes = [label == gate for label in read["lane_label"]]
    bars = zip(read["bar_lane"], read["bar_kind"], read["bar_outcome"], strict=True)
    return [outcome for lane, kind, outcome in bars if kind == 2 and lanes[lane]]


@pytest.mark.slow
async def test_a_widget_follows_a_run_and_its_children_to_their_end(client: Client) -> None:
    handle = await client.start_workflow(Outer.run, id="outer-1", task_queue="q")
    widget = Widget()
    reader = TimelineReader(client.frontend, target(client))
    following = Following(reader, asyncio.get_running_loop())
    following.begin(widget)
    await widget.until(lambda: widget.packed and runs(widget) == [2, 0])  # failed once, and runs again
    Gates.open["first"].set()
    await widget.until(lambda: "Inner" in unpack(widget.packed)["lane_label"])
    inner = next(run for run in unpack(widget.packed)["lane_run"][1:] if run)
    following.hear({"kind": "expand", "child": {"workflow": "inner-1", "run": inner}})
    await widget.until(lambda: runs(widget) == [2, 1, 0])
    Gates.open["inner"].set()
    await handle.result()
    await widget.until(lambda: unpack(widget.packed)["status"] == "COMPLETED" and runs(widget) == [2, 1, 1])
    assert reader.is_closed
    assert await reader.packed() is None
    assert widget.message == ""


@pytest.mark.slow
async def test_questions_are_answered_with_safe_fields_or_an_error(client: Client) -> None:
    Gates.open["first"], Gates.open["inner"] = asyncio.Event(), asyncio.Event()
    for gate in Gates.open.values():
        gate.set()
    handle = await client.start_workflow(Outer.run, id="outer-1", task_queue="q")
    await handle.result()
    widget, reader = Widget(), TimelineReader(client.frontend, target(client))
    following = Following(reader, asyncio.get_running_loop())
    following.attend(widget)
    request = {"run": handle.result_run_id, "kind": "activity", "event": 5, "ident": "1", "attempt": 1}
    following.hear({"kind": "details", "id": "a-1", "request": request})
    await widget.until(lambda: widget.sent)
    answer = widget.sent[0]
    assert (answer["id"], dict(answer["fields"])["input"]) == ("a-1", '"first"')
    assert "<b>closed</b>" in dict(answer["fields"])["failure"]
    nobody = Following(TimelineReader(client.frontend, target(client, "nobody")), asyncio.get_running_loop())
    nobody.attend(other := Widget())
    nobody.hear({"kind": "details", "id": "b-1", "request": request})
    await other.until(lambda: other.sent)
    assert "nobody" in other.sent[0]["error"]


@pytest.mark.slow
async def test_a_run_that_is_deleted_while_it_is_shown_says_so(client: Client) -> None:
    Gates.open["first"], Gates.open["inner"] = asyncio.Event(), asyncio.Event()
    handle = await client.start_workflow(Outer.run, id="outer-1", task_queue="q")
    widget, reader = Widget(), TimelineReader(client.frontend, target(client))
    await reader.packed()
    await handle.terminate()
    await client.frontend.delete_workflow(target(client))
    following = Following(reader, asyncio.get_running_loop())
    following.begin(widget)
    task = following._task
    while task is None:
        await asyncio.sleep(0)
        task = following._task
    await task
    assert widget.message == "the run was deleted: this is the last known state"
    with pytest.raises(RPCError):
        await TimelineReader(client.frontend, target(client)).packed()


@pytest.mark.slow
async def test_a_timeline_on_the_callers_own_loop_fills_itself(client: Client) -> None:
    handle = await client.start_workflow(Outer.run, id="outer-1", task_queue="q")
    widget = timeline(handle)
    assert widget.packed == b""
    filled = asyncio.Event()
    widget.observe(lambda _: filled.set(), "packed")
    await filled.wait()
    assert unpack(widget.packed)["workflow_id"] == "outer-1"
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert "Outer" in bundle["text/plain"]
    assert "<table" in bundle["text/html"]
    widget.close()
    await handle.terminate()


async def test_a_handle_tells_how_to_get_timelines_where_the_extension_is_not_loaded(client: Client) -> None:
    with pytest.raises(NotebookError, match="load_ext durable_nb"):
        client.get_workflow_handle("any").timeline()
