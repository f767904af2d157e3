"""What attempts cost, at prices that a user has somewhere: in a frame, in a dict, or beside the runs in the store."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from durable_nb.analytics.figures import counts
from durable_nb.analytics.statistics.scope import FAILED, Filters, Scope, has_column, own_column, stored_value
from durable_nb.analytics.statistics.statistic import Statistic
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_UNITS = {"hour": "coalesce(x.run_us, 0) / 3.6e9", "second": "coalesce(x.run_us, 0) / 1e6", "attempt": "1"}

_COST = """\
WITH {prices}priced AS (
    SELECT {keys}, x.run_key, x.status, {units} AS units, {price} AS price, {units} * {price} AS cost
    FROM attempts AS x {joined}
    {where}
)
SELECT {by},
    -- Where the price differs within a row: what a unit cost in the mean.
    CASE WHEN min(price) = max(price) THEN min(price)
        ELSE sum(cost) / nullif(sum(units) FILTER (price IS NOT NULL), 0) END AS price,
    count(*) AS attempts, count(DISTINCT run_key) AS runs, sum(units) AS units,
    sum(cost) AS cost, sum(CASE WHEN status IN {failed} THEN cost ELSE 0 * cost END) AS cost_of_failures,
    sum(cost) / count(DISTINCT run_key) AS cost_per_run, sum(cost) / nullif(sum(sum(cost)) OVER (), 0) AS share
FROM priced GROUP BY {by} ORDER BY cost DESC NULLS LAST, {by}"""

_FIX = "for instance cost({'train_epoch': 2.5}, per='hour'), cost(frame, price='eur'), cost('memo.rate')"


def cost(
    explorer: Explorer,
    prices: Any,
    *,
    price: str = "price",
    per: Literal["hour", "second", "attempt"] = "hour",
    by: str | Collection[str] | None = None,
    **filters: Unpack[Filters],
) -> Statistic:
    """What attempts cost at your prices, failed ones apart.

    Parameters
    ----------
    prices
        A DataFrame with a column of prices and columns named as in ``attempts``, which say what each price is for; a
        dict ``{"train_epoch": 2.5}`` or Series by ``by``; a number, the price of all; or the name of a number that is
        stored with the attempts or their runs, such as ``"search_attributes.rate"`` or ``"memo.rate"``. What has no
        price gets no cost, and is shown.
    price
        Which column of a DataFrame holds the prices.
    per
        What a price is for: an ``hour`` or a ``second`` of running, or an ``attempt``.
    by
        Columns of ``attempts`` to add up by: ``activity_type``, ``task_queue``, ``worker_identity``, …; by default
        those of the DataFrame, else ``activity_type``.
    workflow_type, where, since, until
        Which attempts; by when they could start. Only finished ones count.

    Returns
    -------
    Statistic
        One row per value of ``by``, dearest first: ``price``, ``attempts``, ``runs``, ``units`` (hours, seconds or
        attempts), ``cost``, of this ``cost_of_failures``, ``cost_per_run``, and ``share`` of all cost.

    Raises
    ------
    QueryError
        DNB800: prices of another form, two prices for one thing, or an unknown column.

    Examples
    --------
    >>> machines = pd.read_csv("machines.csv")  # task_queue,owner,eur_per_hour  # doctest: +SKIP
    >>> durable_nb.stats.cost(machines, price="eur_per_hour")  # doctest: +SKIP
    """
    if per not in _UNITS:
        raise QueryError(f"a price is not per {per!r}", fix=f"choose one of {', '.join(_UNITS)}")
    columns = _columns(prices, price, by)
    scope = Scope.of(**filters)
    params: dict[str, Any] = {}
    if isinstance(prices, str):
        source = _stored(prices, params)
    elif isinstance(prices, Real):
        params["price"] = float(prices)
        source = {"prices": "", "price": "$price", "joined": ""}
    else:
        source = _given(_pairs(prices, price, columns), columns, params)
    sql = _COST.format(
        **source,
        keys=", ".join(f"x.{column}" for column in columns),
        by=", ".join(columns),
        units=_UNITS[per],
        failed=FAILED,
        where=scope.clause("attempts", "x", "scheduled_at", params, "NOT x.is_pending"),
    )
    frame = explorer.frame(sql, params, limit=None)
    title = scope.titled(f"Cost by {' and '.join(columns).replace('_', ' ')}")
    return Statistic("cost", title, frame, sql, params, counts.cost, note=_note(frame, columns, per))


def _columns(prices: Any, price: str, by: str | Collection[str] | None) -> list[str]:
    """What is added up by, checked."""
    if isinstance(by, str):
        chosen = [by]
    elif by is not None:
        chosen = list(by)
    elif hasattr(prices, "columns"):
        chosen = [str(name) for name in prices.columns if name != price and has_column("attempts", str(name))]
    else:
        chosen = ["activity_type"]
    if not chosen:
        raise QueryError(
            "nothing says what the prices are for",
            where=f"columns: {', '.join(map(str, getattr(prices, 'columns', ())))}" if by is None else "",
            fix="give the frame a column named as in attempts: activity_type, task_queue, worker_identity, …",
        )
    return [own_column("attempts", name) for name in chosen]


def _stored(name: str, params: dict[str, Any]) -> dict[str, str]:
    """A price that every attempt has beside it, or its run."""
    value, of_runs = stored_value("attempts", name, "x", "price", params)
    joined = "JOIN runs AS r ON r.run_key = x.run_key" if of_runs else ""
    return {"prices": "", "price": f"TRY_CAST({value} AS DOUBLE)", "joined": joined}


def _given(found: Mapping[tuple[str, ...], float], columns: list[str], params: dict[str, Any]) -> dict[str, str]:
    """Prices that the user brought, as a table of the query."""
    for place, column in enumerate(columns):
        params[f"by_{column}"] = [key[place] for key in found]
    params["prices"] = list(found.values())
    items = ", ".join(f"unnest($by_{column}) AS {column}" for column in columns)
    same = " AND ".join(f"p.{column} = CAST(x.{column} AS VARCHAR)" for column in columns)
    return {
        "prices": f"prices AS (\n    SELECT {items}, unnest($prices) AS price\n), ",
        "price": "p.price",
        "joined": f"LEFT JOIN prices AS p ON {same}",
    }


def _pairs(prices: Any, price: str, columns: list[str]) -> dict[tuple[str, ...], float]:
    """Prices by what they are for, from whatever the user has them in; missing ones are left out."""
    if hasattr(prices, "columns"):
        missing = [name for name in (*columns, price) if name not in prices.columns]
        if missing:
            raise QueryError(
                f"the frame of prices has no column {', '.join(map(repr, missing))}",
                where=f"columns: {', '.join(map(str, prices.columns))}",
                fix="name its column of prices by price=…, and what they are for by by=…",
            )
        keys = list(zip(*(prices[name].to_list() for name in columns), strict=True))
        values = prices[price].to_list()
    elif hasattr(prices, "items"):
        keys = [key if isinstance(key, tuple) else (key,) for key, _ in prices.items()]
        values = [value for _, value in prices.items()]
    else:
        raise QueryError(f"prices are a frame, a dict, a number or a name, not {type(prices).__name__}", fix=_FIX)
    found: dict[tuple[str, ...], float] = {}
    for key, value in zip(keys, values, strict=True):
        named = tuple(map(str, key))
        if len(named) != len(columns):
            raise QueryError(f"{named!r} does not say what a price by {', '.join(columns)} is for", fix=_FIX)
        number = _number(value)
        if math.isnan(number):
            continue
        if found.setdefault(named, number) != number:
            raise QueryError(f"there are two prices for {', '.join(named)}", fix="add a column that tells them apart")
    if not found:
        raise QueryError("there is no price", fix=_FIX)
    return found


def _number(value: Any) -> float:
    """A price; NaN for a missing one."""
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise QueryError(f"a price is not a number: {error}") from None


def _note(frame: Any, columns: list[str], per: str) -> str:
    unpriced = frame.loc[frame["price"].isna(), columns].itertuples(index=False)
    names = [" / ".join(map(str, row)) for row in unpriced]
    return f"prices are per {per}" + (f"; without a price: {', '.join(names)}" if names else "")
