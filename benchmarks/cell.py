"""The child process of a workload: one system, one measured piece of work, then a line of JSON in a file.

``python -m benchmarks.cell SYSTEM MODULE:FUNCTION FOLDER OUT ARGUMENTS``. Start-up is part of what W5, W6 and W7
measure, so this module imports next to nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.system import make_system


async def main(system_name: str, target: str, folder: str, out: str, arguments: str) -> None:
    """Run ``target(system, folder, **arguments)``; its dict, with the moments it ended, goes to ``out``."""
    module, function = target.split(":")
    work = getattr(import_module(f"benchmarks.{module}"), function)
    system = make_system(system_name, Path(folder))
    result = await work(system, Path(folder), **json.loads(arguments))
    result.setdefault("done_at", time.monotonic())
    partial = Path(out + ".partial")
    partial.write_text(json.dumps(result))
    partial.rename(out)
    if result.get("abandon"):
        os._exit(0)  # as good as a kill: nothing is closed, flushed or told
    await system.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
