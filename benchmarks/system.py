"""What a workload may ask of a system under test, and how a system is found by name."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Protocol


class System(Protocol):
    """A durable workflow engine, embedded in this process, on one SQLite store.

    Keys are workflow IDs. Activities are trivial and async; those of a chain are sequential.
    """

    async def open(self) -> None:
        """Open the store and be ready to run work, which includes taking up what was left unfinished."""

    async def close(self) -> None: ...

    async def run_one(self, key: str) -> None:
        """One workflow of one activity, to its result."""

    async def run_chain(self, key: str, steps: int) -> None:
        """One workflow of ``steps`` sequential activities, to its result."""

    async def run_fan(self, key: str, width: int) -> None:
        """One workflow of ``width`` parallel activities, to its result."""

    async def start_one(self, key: str) -> None:
        """Return when the start is durable."""

    async def start_marked_chain(self, key: str, steps: int) -> None:
        """A chain whose activities each write themselves into the ledger and then wait for ``Ledger.released``."""

    async def start_sleeper(self, key: str, seconds: float) -> None:
        """A workflow that sleeps; return when the start is durable."""

    async def wait(self, key: str) -> None:
        """Wait for the result of a workflow that this or an earlier process started."""

    def sleepers(self) -> int:
        """How many different workflows of this process have reached their sleep."""


class Ledger:
    """The world outside: one line per execution of an activity, in an append-only file that a SIGKILL cannot undo."""

    released = True
    """False holds all marked activities back, so that a process can start everything before anything is done."""

    _descriptor = -1

    @classmethod
    def open(cls, path: Path) -> None:
        """Append to ``path`` from now on."""
        cls._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    @classmethod
    def note(cls, workflow_id: str, step: int) -> None:
        """Write that a step is executed; one system call, so lines never mix."""
        os.write(cls._descriptor, f"{workflow_id} {step}\n".encode())

    @staticmethod
    def read(path: Path) -> list[tuple[str, int]]:
        """All executions in order."""
        pairs = (line.split() for line in path.read_text().splitlines())
        return [(workflow_id, int(step)) for workflow_id, step in pairs]


def make_system(name: str, folder: Path) -> System:
    """The system called ``name`` with its store inside ``folder``; only its own packages are imported."""
    module = import_module(f"benchmarks.system_{name}")
    system: System = module.make(folder)
    return system
