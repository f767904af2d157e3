"""Replays histories with Temporal's own offline Replayer; run as a script, spoken to in lines of JSON.

A request is ``{"source": path, "workflow": class name, "history": text}``, the answer ``{"failure": text or null}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import types
from pathlib import Path


def load(source: str) -> types.ModuleType:
    """The module with the other package's name in its imports."""
    name = f"oracle_{Path(source).stem}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        sys.modules[name] = module
        text = Path(source).read_text(encoding="utf-8").replace("durable_nb", "temporalio")
        exec(compile(text, source, "exec"), module.__dict__)
    return sys.modules[name]


async def main() -> None:
    import logging

    from temporalio.client import WorkflowHistory
    from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        request = json.loads(line)
        module = load(request["source"])
        replayer = Replayer(
            workflows=[getattr(module, request["workflow"])], workflow_runner=UnsandboxedWorkflowRunner()
        )
        history = WorkflowHistory.from_json("workflow-1", request["history"])
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        failure = None if result.replay_failure is None else f"{result.replay_failure!r}"
        sys.stdout.write(json.dumps({"failure": failure}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
