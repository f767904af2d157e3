"""Live displays in a real kernel, seen from where the browser is: what is sent, and what a click does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from tests.notebook.kernel import LIMIT, Kernel

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"
DEFINE = """\
%%workflow
import time, uuid

@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.approved = None

    @workflow.run
    async def run(self) -> bool:
        await workflow.wait_condition(lambda: self.approved is not None)
        return self.approved

    @workflow.signal(description="Approve?")
    def approve(self, approved: bool) -> None:
        self.approved = approved
"""


class Browser:
    """What a front end knows: outputs, and the state of each widget as its messages say."""

    def __init__(self, kernel: Kernel) -> None:
        self.client = kernel.client
        self.outputs: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.models: dict[str, dict[str, Any]] = {}
        self.statuses: list[tuple[str, str]] = []

    def begin(self, code: str) -> str:
        """Run a cell without waiting for it."""
        return str(self.client.execute(code))

    def run(self, code: str) -> None:
        """Run a cell to its end."""
        ident = self.begin(code)
        self.until(lambda: (ident, "idle") in self.statuses)

    def until(self, condition: Callable[[], object]) -> None:
        """Read messages until something is so."""
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, (self.models, self.outputs)
            try:
                self._take(self.client.get_iopub_msg(timeout=0.2))
            except Empty:
                continue

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "execute_result"):
            self.outputs.append(content)
        elif kind == "update_display_data":
            self.updates.append(content)
        elif kind == "status":
            self.statuses.append((message["parent_header"].get("msg_id", ""), content["execution_state"]))
        elif kind == "comm_open":
            self.models[content["comm_id"]] = dict(content["data"].get("state", {}))
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.models[content["comm_id"]].update(content["data"]["state"])

    def subshell(self) -> str:
        """A thread of the kernel for messages, as JupyterLab makes one for widgets."""
        request = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(request)
        reply: dict[str, Any] = {}
        while reply.get("parent_header", {}).get("msg_id") != request["header"]["msg_id"]:
            reply = self.client.get_control_msg(timeout=LIMIT)
        return str(reply["content"]["subshell_id"])

    def click(self, model: str, content: dict[str, Any], subshell: str = "") -> None:
        """A message of a widget's view."""
        data = {"comm_id": model, "data": {"method": "custom", "content": content}}
        message = self.client.session.msg("comm_msg", data)
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    @property
    def view(self) -> str:
        """Model of the widget that was shown last."""
        shown = [content["data"][WIDGET]["model_id"] for content in self.outputs if WIDGET in content["data"]]
        return str(shown[-1])

    @property
    def state(self) -> dict[str, Any]:
        return self.models[self.view]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    kernel = Kernel(tmp_path)
    try:
        kernel.load()
        kernel.run(DEFINE)
        yield Browser(kernel)
    finally:
        kernel.stop()


BUSY = "import pathlib\nwhile not pathlib.Path('enough').exists(): time.sleep(0.01)"
START = "handle = await client.start_workflow(Waits.run, id='w')\nhandle"
HOLD = "import threading\nheld = threading.Event()\n"
HELD = "get_ipython().durable_nb.engine.loop.call_soon_threadsafe(held.wait, 60)"
"""Keeps the engine busy until ``held`` is set."""


def test_widgets_are_imported_when_the_first_is_shown(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        kernel.load()
        loaded = "import sys; print([name for name in ('anywidget', 'ipywidgets') if name in sys.modules])"
        assert kernel.run(loaded).text.strip() == "[]"
        kernel.run(DEFINE)
        kernel.run(START)
        assert kernel.run(loaded).text.strip() == "['anywidget', 'ipywidgets']"
    finally:
        kernel.stop()


def test_a_handle_that_is_shown_beside_a_busy_engine_fills_itself(browser: Browser) -> None:
    browser.run("from durable_nb.notebook import patience\npatience.DISPLAY = 0.0")
    browser.run(HOLD + START.replace("\n", f"\n{HELD}\n"))
    assert "the engine is busy" in browser.outputs[0]["data"]["text/html"]
    browser.run("held.set()")
    browser.until(lambda: browser.state.get("run", {}).get("status") == "running")
    browser.until(lambda: browser.updates and "RUNNING" in browser.updates[-1]["data"]["text/html"])
    browser.until(lambda: browser.state["talk"]["cards"])
    assert browser.state["link"] == {"state": "live"}
    browser.click(browser.view, {"kind": "do", "id": "1", "action": "signal", "name": "approve", "args": [True]})
    browser.until(lambda: browser.state["run"]["status"] == "completed")


def test_a_handle_gives_a_widget_and_beside_it_html_that_follows_it(browser: Browser) -> None:
    browser.run(START)
    readable, shown = browser.outputs
    assert "<table" in readable["data"]["text/html"]
    assert set(shown["data"]) == {"text/plain", WIDGET}
    assert f'class="{browser.state["fallback"]}"' in readable["data"]["text/html"]
    browser.until(lambda: browser.state["talk"]["cards"])
    assert browser.state["position"][0]["where"] == "cell [2]"
    browser.run("await handle.signal(Waits.approve, True)")
    browser.until(lambda: browser.state["link"]["state"] == "ended")
    assert browser.state["run"]["status"] == "completed"
    browser.until(lambda: any("COMPLETED" in update["data"]["text/html"] for update in browser.updates))
    assert browser.updates[-1]["transient"] == readable["transient"]


def test_a_click_is_carried_out_while_a_cell_is_busy(browser: Browser, tmp_path: Path) -> None:
    browser.run(START)
    browser.until(lambda: browser.state["talk"]["cards"])
    subshell = browser.subshell()
    busy = browser.begin(BUSY)
    browser.until(lambda: (busy, "busy") in browser.statuses)
    request = {"kind": "do", "id": "r1", "action": "signal", "name": "approve", "args": [True]}
    browser.click(browser.view, request, subshell)
    browser.until(lambda: "r1" in browser.state.get("replies", {}))
    assert browser.state["replies"]["r1"] == {"ok": True, "text": "signal approve was recorded"}
    browser.until(lambda: browser.state["run"]["status"] == "completed")
    assert (busy, "idle") not in browser.statuses
    (tmp_path / "enough").touch()
    browser.until(lambda: (busy, "idle") in browser.statuses)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"action": "signal", "name": 7, "args": []}, "a signal needs a name"),
        ({"action": "query", "name": "nonsense", "args": []}, "nonsense"),
        ({"action": "retry"}, "nothing"),
        ({"action": "format_disk"}, "a display cannot format_disk"),
        ({}, "a display cannot"),
    ],
)
def test_a_click_that_cannot_be_carried_out_says_why(browser: Browser, request_: dict[str, Any], said: str) -> None:
    browser.run(START)
    browser.click(browser.view, {"kind": "do", "id": "r1", **request_})
    browser.until(lambda: "r1" in browser.state.get("replies", {}))
    answer = browser.state["replies"]["r1"]
    assert not answer["ok"]
    assert said in answer["text"]


def test_a_run_that_is_deleted_while_shown_gives_a_message(browser: Browser) -> None:
    browser.run(START)
    browser.run("await handle.terminate()\nget_ipython().durable_nb.engine.store.delete_run(1)")
    browser.until(lambda: browser.state["link"]["state"] == "ended")
    assert "no longer in the store" in browser.state["link"]["message"]
    browser.until(lambda: "no longer in the store" in str(browser.updates[-1:]))


def test_unloading_leaves_the_last_known_state_and_says_so(browser: Browser) -> None:
    browser.run(START)
    browser.run("%unload_ext durable_nb")
    browser.until(lambda: browser.state["link"]["state"] == "ended")
    assert "the extension was unloaded" in browser.state["link"]["message"]


def test_a_display_follows_a_run_to_its_successors(browser: Browser) -> None:
    browser.run(DEFINE.replace("Waits", "Again").replace("return self.approved", "workflow.continue_as_new()"))
    browser.run("handle = await client.start_workflow(Again.run, id='again')\nhandle")
    first = browser.state["run"]["run_id"]
    browser.run("await handle.signal(Again.approve, True)")
    browser.until(lambda: browser.state["run"]["run_id"] != first)
    assert browser.state["run"]["status"] == "running"


def test_lists_tell_of_runs_that_come_later(browser: Browser) -> None:
    browser.run(START)
    browser.run("%workflow list")
    assert [row["id"] for row in browser.state["rows"]] == ["w"]
    browser.run("_ = await client.start_workflow(Waits.run, id='later')")
    browser.until(lambda: [row["id"] for row in browser.state["rows"]] == ["later", "w"])
    browser.run("await client.get_workflow_handle('w').signal('approve', True)")
    browser.until(lambda: browser.state["rows"][1]["status"] == "completed")


def test_displays_can_be_switched_off(browser: Browser) -> None:
    browser.run("%config DurableNB.live = False")
    browser.run(START)
    assert [set(output["data"]) for output in browser.outputs] == [{"text/plain", "text/html"}]
