"""The SQL of critical paths: from the last workflow task of each run back to its start, and through its children.

Slots of a place, read backwards in time; a step at depth ``d`` has the task in ``4d``, what woke it in ``4d + 1``, the
time before the run (of a chain) in ``4d + 2``, and what came after the last task of the run before in ``4d + 3``. The
path of a child stands within the slot in which its parent waited for it: places are lists, compared item by item.
"""

# ruff: noqa: S608 - SQL is put together from constants; values are always bound
from __future__ import annotations

SEGMENTS = """\
WITH RECURSIVE chosen AS (
    {chosen}
), family AS MATERIALIZED (
    SELECT run_key, run_id, workflow_id, workflow_type, status, start_time, close_time, history_length,
        first_execution_run_id, continued_from_run_id, reset_from_run_id, reset_event_id
    FROM runs WHERE {family}
), tasks AS (
    SELECT run_key, scheduled_event_id, closed_event_id AS task, scheduled_at, closed_at,
        lag(closed_event_id) OVER earlier AS task_before, lag(closed_at) OVER earlier AS closed_before
    FROM workflow_tasks
    WHERE closed_event_id IS NOT NULL AND NOT is_inherited AND run_key IN (SELECT run_key FROM family)
    WINDOW earlier AS (PARTITION BY run_key ORDER BY closed_event_id)
), waits AS (
    -- What wakes workflow code, by the event that says that it is over, with the task that asked for it.
    SELECT run_key, closed_event_id AS event_id, 'Activity' AS kind, activity_type AS name,
        workflow_task_completed_event_id AS task_before, scheduled_at AS began_at, queue_us, run_us, backoff_us,
        NULL AS child_run_id
    FROM activities WHERE closed_event_id IS NOT NULL AND NOT is_local AND run_key IN (SELECT run_key FROM family)
    UNION ALL
    SELECT run_key, closed_event_id, 'Timer', 'timer', workflow_task_completed_event_id, started_at, NULL, NULL, NULL,
        NULL
    FROM timers WHERE status = 'Fired' AND run_key IN (SELECT run_key FROM family)
    UNION ALL
    SELECT run_key, closed_event_id, 'Child', child_workflow_type, workflow_task_completed_event_id, initiated_at,
        queue_us, run_us, NULL, child_run_id
    FROM children WHERE closed_event_id IS NOT NULL AND run_key IN (SELECT run_key FROM family)
    UNION ALL
    SELECT run_key, started_event_id, 'Child start', child_workflow_type, workflow_task_completed_event_id,
        initiated_at, queue_us, NULL, NULL, NULL
    FROM children WHERE started_event_id IS NOT NULL AND run_key IN (SELECT run_key FROM family)
), others AS (
    -- What comes from outside was waited for since the task before it.
    SELECT e.run_key, e.event_id, CASE e.event_type
            WHEN 'WorkflowExecutionStarted' THEN 'Start'
            WHEN 'WorkflowExecutionSignaled' THEN 'Signal'
            WHEN 'WorkflowExecutionCancelRequested' THEN 'Cancel request'
            WHEN 'WorkflowTaskFailed' THEN 'Retry of workflow task'
            WHEN 'WorkflowTaskTimedOut' THEN 'Retry of workflow task' ELSE e.event_type END AS kind,
        coalesce(e.attributes ->> '$.signalName', '') AS name
    FROM events AS e
    WHERE (e.run_key, e.event_id) IN (SELECT (run_key, scheduled_event_id - 1) FROM tasks)
), steps AS MATERIALIZED (
    SELECT t.run_key, t.task, t.scheduled_at, t.closed_at, t.scheduled_event_id,
        CASE WHEN o.event_id = f.reset_event_id THEN 'Reset' WHEN w.kind IS NOT NULL THEN w.kind
            WHEN u.update_name IS NOT NULL THEN 'Update' ELSE o.kind END AS kind,
        coalesce(w.name, u.update_name, o.name) AS name,
        CASE WHEN w.kind IS NOT NULL THEN w.task_before ELSE t.task_before END AS task_before,
        -- What a run that was reset or forked has waited for since before that, it waits for from then on.
        CASE WHEN w.kind IS NOT NULL THEN greatest(w.began_at, f.start_time)
            ELSE coalesce(t.closed_before, f.start_time) END AS began_at,
        w.queue_us, w.run_us, w.backoff_us, w.child_run_id
    FROM tasks AS t JOIN family AS f ON f.run_key = t.run_key
    LEFT JOIN waits AS w ON w.run_key = t.run_key AND w.event_id = t.scheduled_event_id - 1
    LEFT JOIN others AS o ON o.run_key = t.run_key AND o.event_id = t.scheduled_event_id - 1
    LEFT JOIN updates AS u ON u.run_key = t.run_key AND u.accepted_event_id = t.task + 1
), lasts AS MATERIALIZED (
    -- The task that closed the run; where none did (terminated, timed out, open) the last one there was.
    SELECT f.run_key, f.status, f.close_time,
        coalesce(max(CAST(e.attributes ->> '$.workflowTaskCompletedEventId' AS BIGINT)), max(t.task)) AS task
    FROM family AS f JOIN tasks AS t ON t.run_key = f.run_key
    LEFT JOIN events AS e ON e.run_key = f.run_key AND e.event_id = f.history_length AND f.close_time IS NOT NULL
    GROUP BY ALL
), descents AS MATERIALIZED (
    -- Where a child was waited for: the last run of its chain, if all of the chain is here.
    SELECT s.run_key, s.task, s.child_run_id, arg_max(f.run_key, (f.close_time, f.run_key)) AS into_key
    FROM steps AS s JOIN family AS f ON f.first_execution_run_id = s.child_run_id AND f.close_time <= s.scheduled_at
    LEFT JOIN lasts AS l ON l.run_key = f.run_key
    WHERE s.kind = 'Child' GROUP BY ALL
    HAVING bool_or(f.run_id = s.child_run_id) AND bool_and(l.run_key IS NOT NULL AND f.reset_from_run_id IS NULL)
), edges AS MATERIALIZED (
    SELECT run_key, task, 'back' AS way, run_key AS to_key, task_before AS to_task
    FROM steps WHERE task_before IS NOT NULL
    UNION ALL
    SELECT d.run_key, d.task, 'down', d.into_key, l.task FROM descents AS d JOIN lasts AS l ON l.run_key = d.into_key
    UNION ALL
    -- A child that continued as new, or was retried, goes on before its start in the run before.
    SELECT s.run_key, s.task, 'chain', b.run_key, l.task
    FROM steps AS s JOIN family AS f ON f.run_key = s.run_key
    JOIN family AS b ON b.run_id = f.continued_from_run_id JOIN lasts AS l ON l.run_key = b.run_key
    WHERE s.task_before IS NULL
), path AS (
    SELECT l.run_key AS root_key, l.run_key, l.task, CAST([] AS BIGINT[]) AS prefix, CAST(0 AS BIGINT) AS depth
    FROM lasts AS l JOIN chosen AS c ON c.run_key = l.run_key
    UNION ALL
    SELECT p.root_key, e.to_key, e.to_task,
        CASE WHEN e.way = 'down' THEN p.prefix || [4 * p.depth + 1] ELSE p.prefix END,
        CASE WHEN e.way = 'down' THEN 0 ELSE p.depth + 1 END
    FROM path AS p JOIN edges AS e ON e.run_key = p.run_key AND e.task = p.task
    WHERE e.way <> 'chain' OR len(p.prefix) > 0
), walked AS MATERIALIZED (
    SELECT p.root_key, p.prefix, p.depth, s.*, d.into_key
    FROM path AS p JOIN steps AS s ON s.run_key = p.run_key AND s.task = p.task
    LEFT JOIN descents AS d ON d.run_key = p.run_key AND d.task = p.task
), segments AS (
    SELECT root_key, run_key, prefix, 4 * depth + 1 AS slot, [] AS inner_slot, kind, name, began_at,
        scheduled_at AS ended_at, queue_us, run_us, backoff_us
    FROM walked WHERE into_key IS NULL
    UNION ALL
    SELECT root_key, run_key, prefix, 4 * depth, [], 'Workflow task', '', scheduled_at, closed_at, NULL, NULL, NULL
    FROM walked
    UNION ALL
    -- Around the path of a child: until it began, and from its end until its parent knew.
    SELECT w.root_key, w.run_key, w.prefix, 4 * w.depth + 1, [9223372036854775807], 'Child start', w.name, w.began_at,
        f.start_time, NULL, NULL, NULL
    FROM walked AS w JOIN family AS f ON f.run_id = w.child_run_id WHERE w.into_key IS NOT NULL
    UNION ALL
    SELECT w.root_key, w.run_key, w.prefix, 4 * w.depth + 1, [-2], 'Child end', w.name, f.close_time, w.scheduled_at,
        NULL, NULL, NULL
    FROM walked AS w JOIN family AS f ON f.run_key = w.into_key
    UNION ALL
    SELECT w.root_key, w.run_key, w.prefix, 4 * w.depth + 2, [], 'Next run', '', b.close_time, f.start_time,
        NULL, NULL, NULL
    FROM walked AS w JOIN edges AS e ON e.run_key = w.run_key AND e.task = w.task AND e.way = 'chain'
    JOIN family AS f ON f.run_key = w.run_key JOIN family AS b ON b.run_key = e.to_key
    WHERE len(w.prefix) > 0 AND b.close_time <> f.start_time
    UNION ALL
    -- Ended from outside while it waited.
    SELECT w.root_key, w.run_key, w.prefix, 4 * w.depth - 1, [], 'Until ' || lower(l.status), '', w.closed_at,
        l.close_time, NULL, NULL, NULL
    FROM walked AS w JOIN lasts AS l ON l.run_key = w.run_key AND l.task = w.task
    WHERE l.status IN ('Terminated', 'TimedOut')
    UNION ALL
    -- Ended from outside before any code ran.
    SELECT f.run_key, f.run_key, [], 0, [], 'Until ' || lower(f.status), '', f.start_time, f.close_time,
        NULL, NULL, NULL
    FROM family AS f JOIN chosen AS c ON c.run_key = f.run_key
    WHERE f.close_time IS NOT NULL AND f.run_key NOT IN (SELECT run_key FROM lasts)
)
"""
"""Up to ``segments``; what follows asks them. ``chosen``: SELECT of run_key, root_run_id. ``family``: which runs."""

CHOSEN_ALONE = "run_key IN (SELECT run_key FROM chosen)"
CHOSEN_AND_CHILDREN = f"{CHOSEN_ALONE} OR root_run_id IN (SELECT root_run_id FROM chosen)"

OF_RUN = """\
SELECT row_number() OVER (ORDER BY prefix || [slot] || inner_slot DESC) AS step, len(prefix) AS level, f.workflow_id,
    f.workflow_type, kind, name, began_at, ended_at,
    epoch_us(ended_at) - epoch_us(began_at) AS us, us / 1e6 AS duration_s,
    coalesce(us / nullif(sum(us) OVER (), 0), 0) AS share,
    queue_us / 1e6 AS queue_s, run_us / 1e6 AS run_s, backoff_us / 1e6 AS backoff_s
FROM segments JOIN family AS f ON f.run_key = segments.run_key ORDER BY step"""

OF_TYPE = """\
, sums AS (
    SELECT s.root_key, f.workflow_type, s.kind, s.name, count(*) AS times,
        sum(epoch_us(s.ended_at) - epoch_us(s.began_at)) AS us,
        sum(s.queue_us) AS queue_us, sum(s.run_us) AS run_us, sum(s.backoff_us) AS backoff_us
    FROM segments AS s JOIN family AS f ON f.run_key = s.run_key GROUP BY ALL
)
SELECT workflow_type, kind, name, count(*) AS runs, sum(times) / count(*) AS times_per_run,
    sum(us) / (SELECT count(*) FROM chosen) / 1e6 AS mean_s,
    quantile_cont(us, 0.9) / 1e6 AS p90_s, max(us) / 1e6 AS max_s,
    coalesce(sum(us) / nullif(sum(sum(us)) OVER (), 0), 0) AS share,
    sum(queue_us) / (SELECT count(*) FROM chosen) / 1e6 AS mean_queue_s,
    sum(run_us) / (SELECT count(*) FROM chosen) / 1e6 AS mean_run_s,
    sum(backoff_us) / (SELECT count(*) FROM chosen) / 1e6 AS mean_backoff_s
FROM sums GROUP BY ALL ORDER BY share DESC, workflow_type, kind, name"""
