"""A fresh IPython shell for each test, without history, terminal or kernel."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from durable_nb.notebook import patience


@pytest.fixture(autouse=True)
def own_secret(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures are made with a secret of the tests, not with that of whoever runs them."""
    folder = tmp_path_factory.getbasetemp() / "jupyter"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder))
    folder.mkdir(exist_ok=True)


@pytest.fixture(autouse=True)
def all_the_time_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy engine would leave out is waited for."""
    for name in vars(patience):
        if name.isupper():
            monkeypatch.setattr(patience, name, 600.0)


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
