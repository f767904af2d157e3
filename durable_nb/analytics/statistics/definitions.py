"""What changed between two definitions of a workflow: in its source, and in how its runs fare."""

# ruff: noqa: S608 - SQL is put together from constants; values are always bound
from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from html import escape
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures import comparisons
from durable_nb.analytics.statistics.scope import FAILED, Moment, Scope
from durable_nb.analytics.statistics.statistic import Statistic
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_SUCCESS = (
    "count(*) FILTER (status = 'Completed') / nullif(count(*) FILTER (status = 'Completed' OR status = 'Terminated' "
    "OR status IN ('Failed', 'TimedOut') AND continued_to_run_id IS NULL), 0)"
)

_COMPARE = f"""\
WITH sides AS (
    SELECT unnest(['before', 'after']) AS side, unnest([$before, $after]) AS digest
), r AS (
    SELECT s.side, x.run_key, x.status, x.continued_to_run_id, x.duration_us, x.history_length
    FROM runs AS x JOIN sides AS s ON s.digest = x.definition_digest
    {{where}}
), n AS (
    SELECT side, count(*) AS runs FROM r GROUP BY side
), a AS (
    SELECT r.side, x.activity_type, x.status, x.attempt, x.queue_us, x.run_us, x.backoff_us
    FROM attempts AS x JOIN r ON r.run_key = x.run_key WHERE NOT x.is_pending
), measured AS (
    SELECT side, 'run' AS subject, unnest([
            {{{{'place': 1, 'metric': 'runs', 'value': CAST(count(*) AS DOUBLE)}}}},
            {{{{'place': 2, 'metric': 'success rate', 'value': {_SUCCESS}}}}},
            {{{{'place': 3, 'metric': 'duration p50, s', 'value': quantile_cont(duration_us, 0.5) / 1e6}}}},
            {{{{'place': 4, 'metric': 'duration p90, s', 'value': quantile_cont(duration_us, 0.9) / 1e6}}}},
            {{{{'place': 5, 'metric': 'events per run', 'value': avg(history_length)}}}}]) AS m
    FROM r GROUP BY side
    UNION ALL
    SELECT a.side, 'run', unnest([
            {{{{'place': 6, 'metric': 'activities per run', 'value':
                count(*) FILTER (a.attempt = 1) / any_value(n.runs)}}}},
            {{{{'place': 7, 'metric': 'failed attempts per run', 'value':
                count(*) FILTER (a.status IN {FAILED}) / any_value(n.runs)}}}},
            {{{{'place': 8, 'metric': 'lost to retries per run, s', 'value':
                (coalesce(sum(a.run_us) FILTER (a.status IN {FAILED}), 0) + coalesce(sum(a.backoff_us), 0))
                / any_value(n.runs) / 1e6}}}}])
    FROM a JOIN n ON n.side = a.side GROUP BY a.side
    UNION ALL
    SELECT a.side, a.activity_type, unnest([
            {{{{'place': 1, 'metric': 'per run', 'value': count(*) FILTER (a.attempt = 1) / any_value(n.runs)}}}},
            {{{{'place': 2, 'metric': 'failure rate', 'value':
                count(*) FILTER (a.status IN {FAILED}) / count(*)}}}},
            {{{{'place': 3, 'metric': 'queue p90, s', 'value': quantile_cont(a.queue_us, 0.9) / 1e6}}}},
            {{{{'place': 4, 'metric': 'run p50, s', 'value': quantile_cont(a.run_us, 0.5) / 1e6}}}},
            {{{{'place': 5, 'metric': 'back-off per run, s', 'value':
                coalesce(sum(a.backoff_us), 0) / any_value(n.runs) / 1e6}}}}])
    FROM a JOIN n ON n.side = a.side GROUP BY a.side, a.activity_type
)
SELECT subject, m.metric AS metric, max(m.value) FILTER (side = 'before') AS before,
    max(m.value) FILTER (side = 'after') AS after, after - before AS change, after / nullif(before, 0) AS ratio
FROM measured GROUP BY subject, m.place, m.metric ORDER BY subject <> 'run', subject, m.place"""
_COMPARE = _COMPARE.replace("{{", "{").replace("}}", "}")


class Comparison(Statistic):
    """A statistic of two definitions. ``diff`` is the change of the source, as a unified diff."""

    diff = ""

    def table_html(self) -> str:
        table = super().table_html()
        if not self.diff:
            return table
        return (
            f"{table}<details style='margin:4px 0'><summary>change of the source</summary>"
            f"<pre style='margin:4px 0'>{escape(self.diff)}</pre></details>"
        )


def compare_definitions(
    explorer: Explorer,
    workflow_type: str,
    *,
    before: str | None = None,
    after: str | None = None,
    where: Mapping[str, Any] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> Comparison:
    """How runs of a workflow fare on one definition and on another.

    Parameters
    ----------
    workflow_type
        The type.
    before, after
        Digests, or their beginnings; by default the last two definitions that have runs.
    where, since, until
        Which runs; by when they were started.

    Returns
    -------
    Comparison
        One row per subject and metric: ``subject`` is ``run`` or an activity type; ``before``, ``after``, ``change``
        (after less before) and ``ratio`` (after through before); NULL where a side has nothing. ``.diff`` is the
        change of the source.

    Raises
    ------
    QueryError
        DNB800: there are no two definitions, or none with that digest.
    """
    old, new = _two(explorer, workflow_type, before, after)
    scope = Scope.of(workflow_type, where, since, until)
    params: dict[str, Any] = {"before": old["digest"], "after": new["digest"]}
    sql = _COMPARE.replace("{where}", scope.clause("runs", "x", "start_time", params))
    frame = explorer.frame(sql, params, limit=None)
    note = "; ".join(
        f"{side}: {row['digest'][:12]} of {row['created_at']:%Y-%m-%d %H:%M}, {row['origin']}"
        for side, row in (("before", old), ("after", new))
    )
    title = f"{scope.words}: two definitions compared"
    found = Comparison("compare_definitions", title, frame, sql, params, comparisons.definitions, note=note)
    lines = unified_diff(
        old["source"].splitlines(), new["source"].splitlines(), old["digest"][:12], new["digest"][:12], lineterm=""
    )
    found.diff = "\n".join(lines)
    return found


def _two(
    explorer: Explorer, workflow_type: str, before: str | None, after: str | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Rows of the two definitions, older first."""
    frame = explorer.frame(
        "SELECT digest, created_at, origin, source, runs, edition FROM definitions "
        "WHERE kind = 'workflow' AND name = $name ORDER BY edition",
        {"name": workflow_type},
    )
    rows: list[Mapping[str, Any]] = frame.to_dict("records")

    def named(digest: str) -> Mapping[str, Any]:
        found = [row for row in rows if row["digest"].startswith(digest)]
        if len(found) != 1:
            known = ", ".join(row["digest"][:12] for row in rows) or "none"
            raise QueryError(
                f"{len(found) or 'no'} definitions of {workflow_type!r} have a digest like {digest!r}",
                fix=f"stored are {known}",
            )
        return found[0]

    used = [row for row in rows if row["runs"]]
    new = named(after) if after else (used[-1] if used else None)
    earlier = [row for row in used if new is not None and row["edition"] < new["edition"]]
    old = named(before) if before else (earlier[-1] if earlier else None)
    if old is None or new is None or old is new:
        raise QueryError(
            f"there are no two definitions of {workflow_type!r} to compare",
            where=f"{len(rows)} stored, {len(used)} with runs",
            fix="edit the %%workflow cell, run it, and start runs; or name digests by before= and after=",
        )
    return old, new
