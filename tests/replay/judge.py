"""Asking Temporal's Replayer in a child process with a time limit: some histories make its native core hang."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Case = tuple[str, str, str]
"""Name (begins with the workflow ID and a blank), class of the source, history in JSON."""


def verdicts(cases: list[Case], seconds: float = 50, source: str = "gallery.py") -> dict[str, dict[str, Any]]:
    """By name: ``failure`` (None when accepted, "never answered" when it hung) and ``strict`` differences.

    ``seconds`` is how long it may take over one case; what that is of the whole batch depends on the machine.
    """
    batch = {
        "source": str(HERE / source),
        "cases": [
            {"name": name, "workflow_id": name.partition(" ")[0], "workflow": workflow, "history": text}
            for name, workflow, text in cases
        ],
    }
    child = subprocess.Popen(
        [sys.executable, str(HERE / "judge_child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child, ThreadPoolExecutor(1) as reader:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(batch))
            child.stdin.close()
            found: dict[str, dict[str, Any]] = {}
            while line := reader.submit(child.stdout.readline).result(seconds):
                if line.startswith('{"name"'):  # the native core logs to the same stream
                    answer = json.loads(line)
                    found[answer["name"]] = answer
        except TimeoutError:
            pass
        finally:
            child.kill()  # which ends the reader, too
    return {name: found.get(name, {"failure": "never answered", "strict": []}) for name, _, _ in cases}
