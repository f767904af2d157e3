"""``metrics``: what the engines of all processes measure of themselves."""

from __future__ import annotations

from durable_nb.analytics.views.view import Column, View
from durable_nb.analytics.views.words import columns, instant, json, number, text

METRICS = View(
    "metrics",
    "One row per measurement of each process that has the store open, as of its last heartbeat (every 5 s).",
    columns(
        text("process", "How the process calls itself; workers.identity", "p.identity"),
        number("process_key", "What the store calls the process", "p.process_key"),
        text("name", "Temporal's name of the metric where it has it, else durable_nb_…", "(m.s->>'$.name')"),
        json(
            "labels", "Labels, an object: outcome, queue, task_queue, le (upper bound of a bucket)", "(m.s->'$.labels')"
        ),
        text(
            "kind",
            "Kind: counter (grows since the process began), gauge (as it is now), or histogram: a row per bucket "
            "(…_bucket, cumulative by the label le), …_sum and …_count",
            "(m.s->>'$.kind')",
        ),
        Column("value", "DOUBLE", "Value", "TRY_CAST((m.s->>'$.value') AS DOUBLE)"),
        text("unit", "Unit: seconds, units, or NULL for a number of things", "(m.s->>'$.unit')"),
        instant("observed_at", "When it was measured", "p.heartbeat_at"),
    ),
    """(SELECT * FROM mirror.main.processes WHERE json_valid(metrics) AND metrics LIKE '[%') AS p,
    LATERAL (SELECT unnest(CAST(CAST(p.metrics AS JSON) AS JSON[])) AS s) AS m""",
)
