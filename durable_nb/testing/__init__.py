"""Testing workflows and activities: an environment that skips time, one for a single activity, a store to ask.

Names are those of the Temporal Python SDK's ``testing`` (temporal-semantics 1.4), and ``simulate_store``: a store full
of true histories for tests and examples of everything that reads histories.
"""

from __future__ import annotations

import os
from datetime import datetime

from durable_nb.testing._activity import ActivityEnvironment
from durable_nb.testing._workflow import WorkflowEnvironment

__all__ = ["ActivityEnvironment", "WorkflowEnvironment", "simulate_store"]


def simulate_store(
    path: str | os.PathLike[str], *, runs: int = 10_000, seed: int = 0, end: datetime | None = None
) -> str:
    """Make a store with the histories of a simulated shop over two weeks; takes about 2 ms for each run.

    Parameters
    ----------
    path
        File of a new SQLite store, or a store URL (``sqlite:///shop.db``).
    runs
        How many runs the store gets, within a few per cent; a good half of them is started by callers, the others are
        children, continuations and retries.
    seed
        Equal seeds give equal histories, instants and IDs included.
    end
        Instant at which the two weeks end; 2026-11-16 00:00 UTC by default. Runs that were not over then are open.

    Returns
    -------
    The store's URL, for ``durable_nb.connect``.

    Raises
    ------
    FileExistsError
        There is a file already.
    StoreError
        The store cannot be made.

    Examples
    --------
    >>> url = simulate_store("shop.db", runs=500)  # doctest: +SKIP
    >>> client = durable_nb.connect(url)  # doctest: +SKIP
    """
    # The shop's definitions are not for those who only test their own.
    from durable_nb.testing._simulation.simulate import simulate  # noqa: PLC0415

    return simulate(path, runs=runs, seed=seed, end=end)
