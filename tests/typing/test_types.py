"""Type checkers infer from a workflow's methods what calls take and return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_calls_of_a_client_have_the_types_that_the_definitions_say():
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--follow-imports=silent"]
    checked = subprocess.run(
        [*command, str(HERE / "calls.py")], cwd=HERE.parent.parent, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
