"""A notebook in JupyterLab in a browser: run cells, read outputs, kill the kernel, switch the theme, look at it.

Every wait is for something that Lab or the page says itself (a promise of a command, a state of the kernel, an
element); none is for time to pass.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import Browser, Locator, Page
from playwright.sync_api import expect as expect  # noqa: PLC0414 - for tests

from tests.browser.lab import Lab
from tests.notebook.kernel import LIMIT

PATIENCE = 1000 * LIMIT
"""Milliseconds after which what is waited for is believed not to come."""

expect.set_options(timeout=PATIENCE)

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PANEL = "window.jupyterapp.shell.currentWidget"

_IDLE = f"""() => {{
    const kernel = {_PANEL}?.context?.sessionContext?.session?.kernel;
    return Boolean(kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}}"""


def write_notebook(path: Path, cells: Sequence[str], kernel: str = "python3") -> None:
    """A notebook of code cells; it names its kernel, or Lab would ask for one."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(book, path)


def lose_kernel(path: Path) -> None:
    """What another machine sees of a saved notebook: its kernel is not there, and nobody here has signed it."""
    book = nbformat.read(path, as_version=4)
    # Another language, or Lab would quietly take any Python kernel.
    book.metadata = {"kernelspec": {"name": "elsewhere", "display_name": "Elsewhere", "language": "other"}}
    nbformat.write(book, path)


class Notebook:
    """One open notebook. Cells are counted from 0."""

    def __init__(
        self,
        lab: Lab,
        browser: Browser,
        name: str,
        *,
        application: str = "lab",
        scale: float = 1.0,
        dark: bool = False,
        width: int = 1280,
        height: int = 900,
    ) -> None:
        self.lab = lab
        self.name = name
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            color_scheme="dark" if dark else "light",
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        """Errors of the page: uncaught exceptions and console errors of widgets."""
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(lab.address(name, application))
        self.page.wait_for_function(
            f"() => window.jupyterapp && {_PANEL}?.content?.widgets?.length > 0 && {_PANEL}.context.isReady"
        )

    # -- kernel ----------------------------------------------------------------------------------------------------

    def wait_for_kernel(self) -> None:
        """Until the kernel is there and idle."""
        self.page.wait_for_function(_IDLE)

    def restart_kernel(self) -> None:
        """What the Restart button does, without its question."""
        self.page.evaluate(f"() => {_PANEL}.context.sessionContext.session.kernel.restart()")
        self.wait_for_kernel()

    def kill_kernel(self) -> None:
        """``kill -9``, as the kernel of the notebook dies of memory; Lab starts another and tells so in a dialog."""
        self.page.evaluate(
            f"""() => {{
                window.died = false;
                {_PANEL}.context.sessionContext.statusChanged.connect((_, status) => {{
                    if (status === 'autorestarting') window.died = true;
                }});
            }}"""
        )
        (kernel,) = self.lab.kernels()
        kernel.send_signal(signal.SIGKILL)
        psutil.wait_procs([kernel], timeout=30)
        self.page.wait_for_function("() => window.died")
        self.wait_for_kernel()
        self.dismiss_dialogs()

    def dismiss_dialogs(self) -> None:
        """Press the last button (OK) of each dialog that is open."""
        dialogs = self.page.locator("dialog.jp-Dialog")
        while (dialog := dialogs.first.element_handle() if dialogs.count() else None) is not None:
            dialog.query_selector("button.jp-mod-accept").click()
            dialog.wait_for_element_state("hidden")

    def shut_kernel_down(self) -> None:
        """No kernel any more, as after *Shut Down Kernel*."""
        self.page.evaluate(f"() => {_PANEL}.context.sessionContext.shutdown()")
        self.page.wait_for_function(f"() => !{_PANEL}.context.sessionContext.session")

    # -- cells -----------------------------------------------------------------------------------------------------

    def run(self, index: int, *, check: bool = True) -> str:
        """Run a cell to its end; the text of its outputs.

        Raises
        ------
        AssertionError
            The cell raised and ``check`` is on.
        """
        self._select(index, then="return window.jupyterapp.commands.execute('notebook:run-cell');")
        text = self.text(index)
        if check:
            assert "error" not in [output["output_type"] for output in self.outputs(index)], text
        return text

    def begin(self, index: int) -> None:
        """Run a cell without waiting for its end; returns once the kernel has begun with it."""
        self._select(index, then="window.jupyterapp.commands.execute('notebook:run-cell');")
        self.page.wait_for_function(f"() => {_PANEL}.context.sessionContext.session.kernel.status === 'busy'")

    def is_busy(self) -> bool:
        """Whether a cell runs."""
        return bool(self.page.evaluate(f"() => {_PANEL}.context.sessionContext.session.kernel.status === 'busy'"))

    def write(self, index: int, source: str) -> None:
        """Put another source into a cell."""
        self.page.evaluate(
            f"([index, source]) => {_PANEL}.content.widgets[index].model.sharedModel.setSource(source)", [index, source]
        )

    def add(self, source: str) -> int:
        """A new cell at the end; its index."""
        last = self.page.evaluate(f"() => {_PANEL}.content.widgets.length") - 1
        self._select(last, then="return window.jupyterapp.commands.execute('notebook:insert-cell-below');")
        index = int(self.page.evaluate(f"() => {_PANEL}.content.activeCellIndex"))
        self.write(index, source)
        return index

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Outputs of a cell as in the notebook's file."""
        found = self.page.evaluate(f"index => {_PANEL}.content.widgets[index].model.outputs?.toJSON() ?? []", index)
        return list(found)

    def text(self, index: int) -> str:
        """Everything that a cell's outputs say as plain text."""
        return "\n".join(_text(output) for output in self.outputs(index))

    def cell(self, index: int) -> Locator:
        """The cell's place on the page, scrolled into view."""
        self.page.evaluate(
            f"async index => {{ const panel = {_PANEL}; await panel.content.scrollToItem(index); }}", index
        )
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def output_area(self, index: int) -> Locator:
        """Where the cell's outputs are drawn."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def _select(self, index: int, then: str = "") -> None:
        """Make a cell the active one, and at once do what is to be done with it.

        A button in another cell's output that had the focus can make that cell the active one a moment later.
        """
        self.page.evaluate(
            f"""async index => {{
                const notebook = {_PANEL}.content;
                await notebook.scrollToItem(index);
                notebook.deselectAll();
                notebook.activeCellIndex = index;
                {then}
            }}""",
            index,
        )

    # -- the document and its looks --------------------------------------------------------------------------------

    def save(self) -> None:
        """Save with the widgets' state, as the menu does."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def choose_no_kernel(self) -> None:
        """Answer Lab's question for a kernel with *No Kernel*."""
        dialog = self.page.locator("dialog.jp-Dialog", has_text="Select Kernel")
        dialog.locator("select").select_option("null")
        dialog.locator("button.jp-mod-accept").click()
        dialog.wait_for(state="detached")

    def use_theme(self, name: str) -> None:
        """``JupyterLab Light`` or ``JupyterLab Dark``."""
        light = "false" if "Dark" in name else "true"
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        # Attached, not visible: the body itself has no height.
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def hide_surroundings(self) -> None:
        """Nothing but the notebook, for pictures."""
        self.page.evaluate(
            """async () => {
                const run = (...args) => window.jupyterapp.commands.execute(...args);
                await run('application:set-mode', {mode: 'single-document'});
                if (window.jupyterapp.shell.leftCollapsed === false) await run('application:toggle-left-area');
                await run('statusbar:toggle');
            }"""
        )

    def close(self) -> None:
        """Close the page without asking about what is not saved."""
        self.context.close()


def _text(output: dict[str, Any]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        found = output["text"]
    elif kind == "error":
        found = "\n".join(output["traceback"])
    else:
        found = output["data"].get("text/plain", "")
    return _ANSI.sub("", "".join(found))
