"""A real Jupyter kernel to run cells in, to interrupt and to kill."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 90.0
"""Seconds after which a kernel hangs; none of its cells takes one."""
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Output:
    """What a cell gave: ``text`` of all outputs in order, ``html``, ``status`` and the error's lines.

    ``stream`` names the stream whose text came last: a kernel cuts a stream where its clock strikes, which no test
    shall see.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.stream = ""
        self.html: list[str] = []
        self.status = ""
        self.error: list[str] = []
        self.ename = ""

    @property
    def text(self) -> str:
        return _ANSI.sub("", "\n".join(self.parts))

    @property
    def traceback(self) -> str:
        return _ANSI.sub("", "\n".join(self.error))


PATIENT = """\
def patient():
    from durable_nb.notebook import patience
    vars(patience).update({name: 600.0 for name in vars(patience) if name.isupper()})
patient()
del patient"""
"""What a busy engine would leave out is waited for."""

ORDER = """\
%%workflow
from datetime import timedelta

@activity.defn
async def pay(n: int) -> int:
    with open("payments.txt", "a") as log:
        log.write(f"{n}\\n")
    return n * 2

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, n: int) -> int:
        paid = await workflow.execute_activity(pay, n, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self.go)
        return paid + 1

    @workflow.signal
    def approve(self) -> None:
        self.go = True
"""
"""A cell: a workflow that pays, which leaves a line in a file, and then waits for a signal."""

FLUSH = "get_ipython().durable_nb._disk.submit(lambda: None).result()"
"""Waits until the sources of the cells are in the store."""

STACKS = """\
__import__('faulthandler').register(__import__('signal').SIGUSR1, file=open('stacks.txt', 'w'), all_threads=True)"""
"""Has a kernel that hangs tell where its threads stand."""


class Kernel:
    """One kernel process with its working directory (where the store is)."""

    def __init__(self, folder: Path, **environment: str) -> None:
        dropped = ("DURABLE_NB", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        paths = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
        env |= {"PYTHONPATH": paths, "IPYTHONDIR": str(folder / ".ipython"), "JPY_SESSION_NAME": "orders.ipynb"}
        # Kernels in one folder are of one user, who signs with one secret.
        env["JUPYTER_DATA_DIR"] = str(folder / ".jupyter")
        env.setdefault("PYTHONPYCACHEPREFIX", str(folder.parent / "bytecode"))
        # Not TCP: its ports are chosen first and taken later, and another test may be faster.
        self._sockets = tempfile.TemporaryDirectory(prefix="k")
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{self._sockets.name}/s")
        self.manager.start_kernel(cwd=str(folder), env={**env, **environment})
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self._stacks = folder / "stacks.txt"
        self.client.wait_for_ready(timeout=LIMIT)
        self._quietly(STACKS)

    def load(self) -> Output:
        """Load the extension."""
        output = self.run("%load_ext durable_nb")
        self._quietly(PATIENT)
        return output

    def _quietly(self, code: str) -> None:
        """Run something that is no cell."""
        reply = self.client.execute_interactive(code, silent=True, allow_stdin=False, timeout=LIMIT)
        assert reply["content"]["status"] == "ok", reply

    def run(self, code: str, *, on_output: Callable[[Output], None] | None = None, check: bool = True) -> Output:
        """Run a cell to its end. ``on_output`` sees the outputs so far, after each and every tenth of a second."""
        return self.finish(self.begin(code), on_output=on_output, check=check)

    def begin(self, code: str) -> str:
        """Run a cell without waiting for it."""
        return str(self.client.execute(code))

    def finish(self, ident: str, *, on_output: Callable[[Output], None] | None = None, check: bool = True) -> Output:
        """What a cell that was begun gives; waits for its end."""
        output = Output()
        begun = time.monotonic()
        while output.status == "":
            assert time.monotonic() - begun < LIMIT, f"a cell hangs; so far: {output.text}\n{self._where()}"
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                message = None
            if message is not None and message["parent_header"].get("msg_id") == ident:
                _take(message, output)
            if on_output is not None:
                on_output(output)
        reply: dict[str, Any] = {}
        while reply.get("parent_header", {}).get("msg_id") != ident:
            reply = self.client.get_shell_msg(timeout=LIMIT)
        output.status = reply["content"]["status"]
        if check:
            assert output.status == "ok", output.traceback
        return output

    def flush(self) -> None:
        """Wait until the sources of the cells are in the store."""
        self.run(FLUSH)

    def _where(self) -> str:
        """Where the kernel's threads stand."""
        self.manager.signal_kernel(signal.SIGUSR1)
        time.sleep(1)  # nobody tells when it is written, and the test has failed already
        return self._stacks.read_text()

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def interrupt_at(self, mark: Path, *, insist: bool = False) -> Callable[[Output], None]:
        """For ``on_output``: interrupts when the cell has made the file ``mark``.

        ``insist`` interrupts again, as a person would, where the cell then blocks in a call of C: Python does not see a
        signal that comes between its last look and the call before that returns.
        """
        again = float("inf")

        def look(_: Output) -> None:
            nonlocal again
            if mark.exists():
                mark.unlink()
            elif time.monotonic() < again:
                return
            again = time.monotonic() + 10 if insist else again
            self.interrupt()

        return look

    def kill(self) -> None:
        """SIGKILL: no exit handler runs."""
        self.manager.signal_kernel(9)
        self.stop()

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self._sockets.cleanup()


def _take(message: dict[str, Any], output: Output) -> None:
    kind, content = message["msg_type"], message["content"]
    if kind == "stream" and output.stream == content["name"]:
        output.parts[-1] += content["text"]
    elif kind == "stream":
        output.parts.append(content["text"])
        output.stream = content["name"]
    elif kind in ("display_data", "execute_result"):
        output.stream = ""
        output.parts.append(content["data"].get("text/plain", ""))
        output.html.append(content["data"].get("text/html", ""))
    elif kind == "error":
        output.error, output.ename = content["traceback"], content["ename"]
    elif kind == "status" and content["execution_state"] == "idle":
        output.status = "idle"
