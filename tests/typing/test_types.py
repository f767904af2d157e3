"""Type checkers infer from a workflow's methods what calls take and return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", ["calls.py", "workflow_code.py"])
def test_calls_have_the_types_that_the_definitions_say(module):
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--follow-imports=silent"]
    checked = subprocess.run(
        [*command, str(HERE / module)], cwd=HERE.parent.parent, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
