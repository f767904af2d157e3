"""A fresh IPython shell for each test, without history, terminal or kernel."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@pytest.fixture
def shell() -> Iterator[Any]:
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    main, hook = sys.modules["__main__"], sys.excepthook
    made = InteractiveShell(config=config)
    made.colors = "nocolor"
    try:
        yield made
    finally:
        atexit.unregister(made.atexit_operations)
        made.atexit_operations()
        sys.modules["__main__"], sys.excepthook = main, hook
