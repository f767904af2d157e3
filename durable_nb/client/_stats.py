"""``durable_nb.stats`` and ``client.stats``: the statistics of ``durable_nb.analytics``, asked of a store."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any

from durable_nb.model.spelling import nearest

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer
    from durable_nb.analytics.statistics import Statistic


class Stats:
    """Ready statistics over all histories of a store; each gives a frame, a figure and the SQL behind it.

    ``success_rate``, ``latency``, ``latency_distribution``, ``throughput``, ``retry_storms``, ``retry_distribution``,
    ``time_lost_to_retries``, ``failing_activities``, ``slowest_activities``, ``critical_path``,
    ``critical_path_of_type``, ``cost``, ``compare_definitions``, ``run_timeline``. Most take ``workflow_type``,
    ``where``, ``since`` and ``until``.

    They are plain functions, to be called without ``await``. What they return shows itself in a notebook and has
    ``.frame``, ``.figure``, ``.sql`` and ``.params``.

    Parameters
    ----------
    explorer_of
        Gives the explorer of the store that is asked.
    shown
        Makes the block in which a statistic is asked for: where its progress is shown.

    Examples
    --------
    >>> durable_nb.stats.latency(workflow_type="OrderWorkflow", since="7d")  # doctest: +SKIP
    >>> durable_nb.stats.success_rate(by="day").frame  # doctest: +SKIP
    """

    def __init__(
        self, explorer_of: Callable[[], Explorer], shown: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._explorer_of = explorer_of
        self._shown = shown

    def __getattr__(self, name: str) -> Callable[..., Statistic]:
        if name.startswith("_"):
            raise AttributeError(name)
        # DuckDB and pandas are imported when the first statistic is asked for.
        from durable_nb.analytics.statistics import STATISTICS  # noqa: PLC0415

        if name not in STATISTICS:
            close = nearest(name, STATISTICS)
            hint = f"did you mean {close!r}?" if close else f"there are {', '.join(STATISTICS)}"
            raise AttributeError(f"there is no statistic {name!r}: {hint}")
        return self._bound(STATISTICS[name])

    def __dir__(self) -> list[str]:
        from durable_nb.analytics.statistics import STATISTICS  # noqa: PLC0415 - as above

        return [*STATISTICS]

    def _bound(self, function: Callable[..., Statistic]) -> Callable[..., Statistic]:
        """The function without its first parameter."""
        signature = _shown_signature(function)

        @wraps(function)
        def ask(*args: Any, **kwargs: Any) -> Statistic:
            given = signature.bind(*args, **kwargs)
            with self._shown():
                return function(self._explorer_of(), *given.args, **given.kwargs)

        ask.__signature__ = signature  # type: ignore[attr-defined]  # what help() shows
        return ask


def _shown_signature(function: Callable[..., Statistic]) -> inspect.Signature:
    """The parameters of a statistic without the explorer, its filters one by one."""
    from durable_nb.analytics.statistics.scope import Scope  # noqa: PLC0415 - as above

    own = [*inspect.signature(function).parameters.values()][1:]
    plain = [each for each in own if each.kind is not each.VAR_KEYWORD]
    if len(plain) < len(own):
        filters = inspect.signature(Scope.of).parameters.values()
        plain += [each.replace(kind=each.KEYWORD_ONLY) for each in filters]
    return inspect.signature(function).replace(parameters=plain)
