"""Temporal's offline Replayer as a judge, in a child process with a time limit (temporal-semantics 9.4)."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from pathlib import Path

from durable_nb.converter.history_json import history_to_json
from durable_nb.model.events import Event

HERE = Path(__file__).parent
SECONDS = 30.0


class Oracle:
    """The child process; started on first use, started again when it hangs on a history that it cannot bear."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def failure(self, source: str, workflow: str, events: list[Event]) -> str | None:
        """None when the judge accepts; ``"hung"`` when it never answers."""
        process = self._process
        if process is None:
            process = self._process = subprocess.Popen(
                [sys.executable, str(HERE / "oracle_child.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        request = {
            "source": str(HERE / f"{source}.py"),
            "workflow": workflow,
            "history": history_to_json("workflow-1", events),
        }
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        while True:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(SECONDS):
                    self.close()
                    return "hung"
            line = process.stdout.readline()
            if not line:
                self.close()
                return "died"
            if line.startswith('{"failure"'):  # the judge's native core logs to the same stream
                answer: dict[str, str | None] = json.loads(line)
                return answer["failure"]

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
