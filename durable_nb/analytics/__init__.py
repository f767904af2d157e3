"""Ask the histories: DuckDB over a live store, its documented views, and frames made of them.

How it fits together
--------------------
``feeds`` reads a store over a connection of its own and never writes; ``mirror`` copies what is new, as far as a
question needs it (``wanted``), into tables of a DuckDB database in memory (``copying``) before each query; ``views``
lays the documented, versioned views over these tables; ``guard`` lets only questions through; ``access`` runs them and
makes frames. ``durable_nb.sql``, ``client.sql`` and
``%%workflow_sql`` are sugar over ``access``.

The views are the contract: statistics, exports and users read nothing else. DuckDB, pandas and Arrow are imported when
the first question is asked, not with this package.
"""

from typing import TYPE_CHECKING

from durable_nb._first_use import on_first_use

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer, open_explorer
    from durable_nb.analytics.decoding import decode
    from durable_nb.analytics.views import VIEWS, describe
else:
    __getattr__, __dir__ = on_first_use(
        globals(),
        {"access": ("Explorer", "open_explorer"), "decoding": ("decode",), "views": ("VIEWS", "describe")},
    )

__all__ = ["VIEWS", "Explorer", "decode", "describe", "open_explorer"]
