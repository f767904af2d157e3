"""Starting cells, timing them from outside, killing them. ``time.monotonic`` is one clock for all processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 900.0
"""Seconds after which a cell counts as hanging."""


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of the children. Without a bytecode cache every start would compile all that it imports (0.3 s here)."""


class CellError(Exception):
    """A cell died or hung; the message holds the end of what it printed."""


@dataclass(slots=True)
class Finished:
    """What a cell reported, and what it cost from outside."""

    result: dict[str, Any]
    seconds: float
    """From spawning the process to the moment that the cell calls done."""
    cpu_seconds: float


@dataclass(slots=True)
class Cell:
    """A running child process."""

    process: subprocess.Popen[bytes]
    out: Path
    log: Path
    spawned_at: float
    title: str = ""
    _status: int | None = field(default=None)

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self.process.kill()
        self.process.wait()

    def alive(self) -> bool:
        return self.process.poll() is None

    def finish(self) -> Finished:
        """Wait for the end of the process; CellError when it failed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                self.kill()
                raise CellError(f"{self.title} was not done after {PATIENCE:.0f} s\n{self._tail()}")
            time.sleep(0.005)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0 or not self.out.exists():
            raise CellError(f"{self.title} ended with code {self.process.returncode}\n{self._tail()}")
        result = json.loads(self.out.read_text())
        return Finished(result, result["done_at"] - self.spawned_at, usage.ru_utime + usage.ru_stime)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def spawn(system: str, target: str, folder: Path, **arguments: Any) -> Cell:
    """Start ``benchmarks.<target>`` (``module:function``) for ``system`` with its store in ``folder``."""
    scratch = Path(tempfile.mkdtemp(prefix="cell-", dir=folder.parent))
    out, log = scratch / "result.json", scratch / "log.txt"
    command = [sys.executable, "-m", "benchmarks.cell", system, target, str(folder), str(out), json.dumps(arguments)]
    with log.open("wb") as stream:
        spawned_at = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=stream, stderr=subprocess.STDOUT)
    return Cell(process, out, log, spawned_at, f"{system} {target}")


def run(system: str, target: str, folder: Path, **arguments: Any) -> Finished:
    """Start a cell and wait for its end."""
    return spawn(system, target, folder, **arguments).finish()
