"""Asking Temporal's Replayer in a child process with a time limit: some histories make its native core hang."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Case = tuple[str, str, str]
"""Name (begins with the workflow ID and a blank), class of the source, history in JSON."""


def verdicts(cases: list[Case], seconds: float = 50, source: str = "gallery.py") -> dict[str, dict[str, Any]]:
    """By name: ``failure`` (None when accepted, "never answered" when it hung) and ``strict`` differences."""
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
    try:
        out, _ = child.communicate(json.dumps(batch), timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        out, _ = child.communicate()
    # The native core logs to the same stream.
    answers = [json.loads(line) for line in out.splitlines() if line.startswith('{"name"')]
    found = {each["name"]: each for each in answers}
    return {name: found.get(name, {"failure": "never answered", "strict": []}) for name, _, _ in cases}
