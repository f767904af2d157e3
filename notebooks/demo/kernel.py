"""A notebook run cell by cell in a real Jupyter kernel, which may be killed at any instant."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any, Self

import nbformat
from jupyter_client.manager import AsyncKernelManager


class KernelDiedError(Exception):
    """The kernel's process is gone; the cell that it was running has no result."""


class CellFailedError(Exception):
    """A cell raised; the message is its traceback."""


class Kernel:
    """``async with Kernel(folder, environment) as kernel``: an ipykernel of this very Python, working in ``folder``."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = os.environ | environment
        # Not TCP: its ports are chosen first and taken later, and another program may be faster.
        self._sockets = tempfile.TemporaryDirectory(prefix="k")
        self._manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{self._sockets.name}/s")
        self._manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self._log = (folder / "kernel.log").open("ab")

    async def __aenter__(self) -> Self:
        await self._manager.start_kernel(
            cwd=str(self.folder), env=self._environment, stdout=self._log, stderr=self._log
        )
        self._client = self._manager.client()
        self._client.start_channels()
        await self._client.wait_for_ready(timeout=120)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._client.stop_channels()
        await self._manager.shutdown_kernel(now=not await self._manager.is_alive())
        self._sockets.cleanup()
        self._log.close()

    @property
    def pid(self) -> int:
        return int(self._manager.provisioner.pid)

    def kill(self) -> None:
        """SIGKILL: no handler, no exit hook, no goodbye."""
        os.kill(self.pid, signal.SIGKILL)

    async def run_notebook(self, notebook: Any, saw: Callable[[int, Any], None] | None = None) -> None:
        """Run all code cells in order and keep their outputs in ``notebook``; ``saw(index, cell)`` after each.

        Raises
        ------
        KernelDiedError
            The process went away.
        CellFailedError
            A cell raised.
        """
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            cell.outputs = []
            await self._run_cell(cell)
            if saw is not None:
                saw(index, cell)

    async def _run_cell(self, cell: Any) -> None:
        message_id = self._client.execute(cell.source)
        while True:
            message = await self._next_message()
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            if kind in ("stream", "display_data", "execute_result", "error"):
                cell.outputs.append(nbformat.v4.output_from_msg(message))
            if kind == "error":
                raise CellFailedError("\n".join(content["traceback"]))

    async def _next_message(self) -> dict[str, Any]:
        while True:
            try:
                message: dict[str, Any] = await self._client.get_iopub_msg(timeout=0.5)
            except Empty:
                if not await self._manager.is_alive():
                    raise KernelDiedError from None
            else:
                return message
