"""Cells whose start is part of what is measured (W5, W6, W7): they import what the system under test needs.

The other cells share a module with what times them, and bring 12 ms of imports of their own.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks.system import Ledger, System


async def first_result(system: System, folder: Path) -> dict[str, Any]:
    """W7: open an empty store and run one workflow."""
    await system.open()
    await system.run_one("first")
    return {"done_at": time.monotonic()}


async def ready(system: System, folder: Path) -> dict[str, Any]:
    """W6 after the restart: open, and have one new start acknowledged."""
    await system.open()
    await system.start_one("probe")
    return {"done_at": time.monotonic(), "abandon": True}


async def resume(system: System, folder: Path, keys: list[str]) -> dict[str, Any]:
    """W5 after the restart: open, and wait for every workflow."""
    Ledger.open(folder / "ledger.txt")
    await system.open()
    await asyncio.gather(*[system.wait(key) for key in keys])
    return {"done_at": time.monotonic()}
