"""A process that dies by SIGKILL at its N-th commit, and a log that survives it.

A workload is run as ``python -m tests.chaos.NAME DIRECTORY PHASE N``: it dies ``before`` its N-th commit, ``during`` it
(when SQLite is told to COMMIT) or ``after`` it (durable, but nobody has heard of it); with N = 0 it runs to its end.
What outsiders may rely on is written to ``log`` in the directory, one line each, with O_APPEND.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from durable_nb.client import Client

ROOT = Path(__file__).parents[2]
KILLED = -9
PHASES = ["before", "during", "after"]
DIRECTORY = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
"""Of the workload that this process is."""


def note(*words: object) -> None:
    """Append a line that survives the process."""
    line = " ".join(map(str, words)) + "\n"
    descriptor = os.open(DIRECTORY / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def noted() -> list[str]:
    """What was noted so far, by this process and those before it."""
    return (DIRECTORY / "log").read_text().splitlines()


def arm(client: Client, phase: str, number: int) -> None:
    """Die at the N-th commit of the engine from now on."""
    store = client.engine.store
    commit, seen = store.commit, 0

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(units):
        nonlocal seen
        seen += 1
        if seen != number:
            return commit(units)
        if phase == "before":
            die()
        if phase == "during":
            store._database.writer.set_trace_callback(lambda statement: die() if statement == "COMMIT" else None)
        answer = commit(units)
        die()
        return answer

    store.commit = counted


def run(workload: str, directory: Path, phase: str, number: int) -> int:
    """Exit status of one process of a workload."""
    finished = subprocess.run(
        [sys.executable, "-m", f"tests.chaos.{workload}", str(directory), phase, str(number)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode in (0, KILLED), finished.stderr
    return finished.returncode
