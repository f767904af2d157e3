"""JupyterLab, started once for all browser tests, and Chromium, once for each module of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PICTURES = Path(__file__).resolve().parents[2] / "build" / "browser"
"""What the page looked like when a test failed."""

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def chromium_path() -> str:
    """Debian's Chromium (or a Chrome); "" where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), "")


# For a module, not for all: Playwright keeps an event loop running in this thread while it is there, and asyncio tests
# that come after in the same process would be refused.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    path = chromium_path()
    if not path:
        pytest.skip("Chromium is not installed and could not be: .ci/apt chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all tests; each test has a folder of its own in it."""
    server = Lab(tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home"))
    yield server
    server.stop()


@pytest.fixture
def open_notebook(lab: Lab, browser: Any, folder: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Writes a notebook into a folder of the test's own, opens it and waits for its kernel.

    The store is ``durable.db`` beside it. Pages and kernels are gone after the test.
    """
    from tests.browser.notebook import Notebook, write_notebook

    opened: list[Any] = []

    def do(cells: Sequence[str] = (), name: str = "orders.ipynb", *, kernel: bool = True, **options: Any) -> Any:
        path = folder / name
        if cells:
            write_notebook(path, cells)
        opened.append(Notebook(lab, browser, f"{folder.name}/{name}", **options))
        if kernel:
            opened[-1].wait_for_kernel()
        return opened[-1]

    yield do
    for number, notebook in enumerate(opened):
        if request.node.stash.get(FAILED, False) and not notebook.page.is_closed():
            notebook.page.screenshot(path=PICTURES / f"{folder.name}-{number}.png")
        notebook.close()
    lab.end_kernels()
    lab.forget_theme()


@pytest.fixture
def folder(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """Where ``open_notebook`` puts the notebooks of this test."""
    made = lab.root / re.sub(r"\W+", "-", request.node.name)[:60]
    made.mkdir()
    return made
