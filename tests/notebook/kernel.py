"""A real Jupyter kernel to run cells in, to interrupt and to kill."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager

ROOT = Path(__file__).resolve().parents[2]
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Output:
    """What a cell gave: ``text`` of all outputs in order, ``html``, ``status`` and the error's lines."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.html: list[str] = []
        self.status = ""
        self.error: list[str] = []
        self.ename = ""
        self.seconds = 0.0

    @property
    def text(self) -> str:
        return _ANSI.sub("", "\n".join(self.parts))

    @property
    def traceback(self) -> str:
        return _ANSI.sub("", "\n".join(self.error))


class Kernel:
    """One kernel process with its working directory (where the store is)."""

    def __init__(self, folder: Path, **environment: str) -> None:
        dropped = ("DURABLE_NB", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        paths = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
        env |= {"PYTHONPATH": paths, "IPYTHONDIR": str(folder / ".ipython"), "JPY_SESSION_NAME": "orders.ipynb"}
        env.setdefault("PYTHONPYCACHEPREFIX", str(folder.parent / "bytecode"))
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder), env={**env, **environment})
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    def run(
        self, code: str, *, timeout: float = 30, on_output: Callable[[Output], None] | None = None, check: bool = True
    ) -> Output:
        """Run a cell to its end. ``on_output`` sees the outputs so far, after each and every tenth of a second."""
        output = Output()
        begun = time.monotonic()
        ident = self.client.execute(code)
        while output.status == "":
            assert time.monotonic() - begun < timeout, f"the cell takes too long; so far: {output.text}"
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                message = None
            if message is not None and message["parent_header"].get("msg_id") == ident:
                _take(message, output)
            if on_output is not None:
                on_output(output)
        output.seconds = time.monotonic() - begun
        reply: dict[str, Any] = {}
        while reply.get("parent_header", {}).get("msg_id") != ident:
            reply = self.client.get_shell_msg(timeout=timeout)
        output.status = reply["content"]["status"]
        if check:
            assert output.status == "ok", output.traceback
        return output

    def warm_up(self) -> None:
        """Load the extension once, so that its byte code is there as on any machine after the first time."""
        self.run("%load_ext durable_nb")
        self.stop()

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """SIGKILL: no exit handler runs."""
        self.manager.signal_kernel(9)
        self.stop()

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


def _take(message: dict[str, Any], output: Output) -> None:
    kind, content = message["msg_type"], message["content"]
    if kind == "stream":
        output.parts.append(content["text"])
    elif kind in ("display_data", "execute_result"):
        output.parts.append(content["data"].get("text/plain", ""))
        output.html.append(content["data"].get("text/html", ""))
    elif kind == "error":
        output.error, output.ename = content["traceback"], content["ename"]
    elif kind == "status" and content["execution_state"] == "idle":
        output.status = "idle"
