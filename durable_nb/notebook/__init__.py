"""The notebook layer: ``%load_ext durable_nb``, ``%%workflow``, ``%workflow``, and how things show themselves.

Everything here is convenience over ``client``, ``worker`` and ``engine``: nothing below imports it. Parts: the cell
(``transformer``, ``marks``, ``capture``, ``sources``), the lint (``lint``, ``lint_rules``, ``names``), pictures
(``blocks``, ``views``, ``histories``, ``lanes``, ``plain``, ``html``, ``text``, ``display``), the magics (``commands``,
``magics``), and the wiring (``session``, ``extension``, ``bridge``, ``ticker``, ``notices``, ``tracebacks``).

Decisions, November 2026: cells are transformed, not run by a magic, so that await and line numbers stay right (cost:
an AST transformer beside it); a definition counts as soon as its statement has run, so that one cell may define, start
and await (cost: a cell that raises half-way has registered its first half); displays ask the engine with a patience of
0.4 s instead of keeping state of their own.
"""

from typing import TYPE_CHECKING

from durable_nb._first_use import on_first_use
from durable_nb.notebook.display import View, handle_timeline, timeline_text

# The extension brings IPython and the engine, which a program that only wants a timeline does not need.
if TYPE_CHECKING:
    from durable_nb.notebook.extension import load_ipython_extension, unload_ipython_extension
else:
    __getattr__, __dir__ = on_first_use(
        globals(), {"extension": ("load_ipython_extension", "unload_ipython_extension")}
    )

__all__ = ["View", "handle_timeline", "load_ipython_extension", "timeline_text", "unload_ipython_extension"]
