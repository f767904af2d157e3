"""SQL that several views share: names of numbers, instants, payloads and failures; and the columns that name a run.

Texts are made from enumerations and constants of this package only; no value of a user is ever part of one.
"""

# ruff: noqa: S608 - texts are put together from constants of this package; no value of a user is ever part of one
from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from durable_nb.analytics.views.view import Column, Join
from durable_nb.model.enums import (
    ContinueAsNewInitiator,
    EventType,
    ParentClosePolicy,
    RetryState,
    StartChildWorkflowExecutionFailedCause,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowTaskFailedCause,
)

CAUSES = 8
"""Links of a chain of causes that are followed to find what really went wrong."""


def camel(member: IntEnum) -> str:
    """``TimedOut`` for ``TIMED_OUT``: how a value is spelt in every view."""
    return "".join(word.capitalize() for word in member.name.split("_"))


def naming(kind: type[IntEnum]) -> str:
    """Body of a macro from the number ``n`` to its name; a number of a newer version stays visible."""
    cases = " ".join(f"WHEN {int(member)} THEN '{camel(member)}'" for member in kind)
    return f"CASE n {cases} ELSE CAST(n AS VARCHAR) END"


def numbers(*types: EventType) -> str:
    """``(12, 13)`` for use after IN."""
    return f"({', '.join(str(int(kind)) for kind in types)})"


def events(*types: EventType, **texts: str) -> str:
    """Subquery of the events of some types; with ``texts`` as further columns, by name the paths of their attributes.

    A text that is taken here goes through the joins of a view in place of the whole attributes.
    """
    items = "".join(f", (attributes->>'$.{path}') AS {name}" for name, path in texts.items())
    return f"(SELECT *{items} FROM mirror.main.events WHERE event_type IN {numbers(*types)})"


def referring(field: str, *types: EventType) -> str:
    """Subquery of events that refer to an earlier one, with the id of that as ``ref``."""
    return (
        f"(SELECT *, CAST((attributes->>'$.{field}') AS BIGINT) AS ref FROM mirror.main.events "
        f"WHERE event_type IN {numbers(*types)})"
    )


BRANCHED = Join(
    "branched",
    f"""(
        SELECT run_key, event_id, (attributes->>'$.baseRunId') AS base_run_id, (attributes->>'$.newRunId') AS new_run_id
        FROM {events(EventType.WORKFLOW_TASK_FAILED)} WHERE (attributes->>'$.baseRunId') <> ''
    ) AS branched ON branched.run_key = r.run_key AND branched.new_run_id = r.run_id""",
)
"""The event at which a run left the one that it was reset or forked from; what stands before it happened there."""


# A payload is an object; where metadata or data are missing or cannot be read, the value is NULL and the error says so.
_ENCODING = "TRY(decode(from_base64((p->>'$.metadata.encoding'))))"
_TEXT = "TRY(decode(from_base64(coalesce((p->>'$.data'), ''))))"
_IS_JSON = f"starts_with({_ENCODING}, 'json/')"

_CHAIN = ", ".join(f"'$.cause{'.cause' * depth}'" for depth in reversed(range(CAUSES)))
_DEEPEST = f"list_filter(json_extract(f, [{_CHAIN}]), lambda cause: cause IS NOT NULL)[1]"
_FAILURE_TYPE = (
    "CASE WHEN f IS NULL THEN NULL "
    "WHEN (f->'$.applicationFailureInfo') IS NOT NULL "
    "THEN coalesce(nullif((f->>'$.applicationFailureInfo.type'), ''), 'ApplicationError') "
    "WHEN (f->'$.timeoutFailureInfo') IS NOT NULL "
    # The store leaves defaults out, and the default is StartToClose.
    "THEN timeout_name(coalesce(TRY_CAST((f->>'$.timeoutFailureInfo.timeoutType') AS INTEGER), 1)) || 'Timeout' "
    "WHEN (f->'$.canceledFailureInfo') IS NOT NULL THEN 'CancelledError' "
    "WHEN (f->'$.terminatedFailureInfo') IS NOT NULL THEN 'TerminatedError' "
    "WHEN (f->'$.serverFailureInfo') IS NOT NULL THEN 'ServerError' "
    "WHEN (f->'$.activityFailureInfo') IS NOT NULL THEN 'ActivityError' "
    "WHEN (f->'$.childWorkflowExecutionFailureInfo') IS NOT NULL THEN 'ChildWorkflowError' ELSE 'Failure' END"
)


def _once(parameter: str, body: str) -> str:
    """``body`` with what is given for the parameter planned once.

    A macro puts the text that it is given wherever its parameter stands; to plan a view of failures took longer than to
    read it (root_failure_type alone: 100 extractions from JSON, 7 ms of each question).
    """
    return f"list_transform([{parameter}], lambda {parameter}: {body})[1]"


MACROS: tuple[str, ...] = (
    f"event_name(n) AS {naming(EventType)}",
    f"status_name(n) AS {naming(WorkflowExecutionStatus)}",
    f"retry_state_name(n) AS {naming(RetryState)}",
    f"timeout_name(n) AS {naming(TimeoutType)}",
    f"initiator_name(n) AS {naming(ContinueAsNewInitiator)}",
    f"close_policy_name(n) AS {naming(ParentClosePolicy)}",
    f"task_failure_name(n) AS {naming(WorkflowTaskFailedCause)}",
    f"child_failure_name(n) AS {naming(StartChildWorkflowExecutionFailedCause)}",
    # 0 and NULL mean unset; DuckDB refuses the last instant that 64 bits hold.
    (
        "instant(us) AS CASE WHEN us <> 0 AND us BETWEEN -9223372022400000000 AND 9223372036854775806 "
        "THEN make_timestamptz(CAST(us AS BIGINT)) END"
    ),
    "positive(us) AS CASE WHEN us > 0 THEN us END",
    "named(t) AS nullif(t, '')",
    f"payload_encoding(p) AS {_ENCODING}",
    (
        f"payload_json(p) AS CASE WHEN p IS NULL THEN NULL WHEN {_ENCODING} = 'binary/null' THEN CAST('null' AS JSON) "
        f"WHEN {_IS_JSON} AND json_valid({_TEXT}) THEN CAST({_TEXT} AS JSON) END"
    ),
    (
        "payload_error(p) AS CASE WHEN p IS NULL OR payload_json(p) IS NOT NULL THEN NULL "
        "WHEN (p->>'$.durableBlob') IS NOT NULL THEN 'kept in the blob table, ' "
        "|| (p->>'$.size') || ' bytes: decode() reads it' "
        f"WHEN {_ENCODING} IS NULL THEN 'the encoding of the payload cannot be read' "
        f"WHEN NOT {_IS_JSON} THEN 'encoding ' || {_ENCODING} || ': decode() reads it' "
        "ELSE 'the payload says ' || payload_encoding(p) || ' and is not JSON' END"
    ),
    (
        "payloads_json(l) AS CASE WHEN l IS NOT NULL THEN "
        "CAST(to_json(list_transform(json_extract(l, '$[*]'), lambda p: payload_json(p))) AS JSON) END"
    ),
    (
        "payloads_error(l) AS list_filter(list_transform(json_extract(l, '$[*]'), lambda p: payload_error(p)), "
        "lambda e: e IS NOT NULL)[1]"
    ),
    # Memo and search attributes: an object whose values are payloads.
    (
        "fields_json(o) AS CASE WHEN json_valid(o) THEN CAST(to_json(map_from_entries(list_transform("
        "map_entries(CAST(CAST(o AS JSON) AS MAP(VARCHAR, JSON))), lambda e: {'k': e.key, 'v': payload_json(e.value)}"
        "))) AS JSON) END"
    ),
    f"failure_type(f) AS {_once('f', _FAILURE_TYPE)}",
    "failure_message(f) AS CASE WHEN f IS NOT NULL THEN coalesce((f->>'$.message'), '') END",
    f"root_failure(f) AS coalesce({_DEEPEST}, f)",
    # JSON that may be damaged: NULL instead of an error that would end the whole query.
    "document(t) AS CASE WHEN json_valid(t) THEN CAST(t AS JSON) END",
)
"""Bodies of CREATE MACRO, each after what it uses."""


def instant(name: str, meaning: str, sql: str = "") -> Column:
    """A TIMESTAMPTZ column."""
    return Column(name, "TIMESTAMP WITH TIME ZONE", meaning, f"instant({sql or name})", "UTC")


def length(name: str, meaning: str, sql: str = "") -> Column:
    """A column of microseconds."""
    return Column(name, "BIGINT", meaning, f"CAST({sql or name} AS BIGINT)", "µs")


def text(name: str, meaning: str, sql: str = "") -> Column:
    """A VARCHAR column, NULL instead of ''."""
    return Column(name, "VARCHAR", meaning, f"named({sql or name})")


def number(name: str, meaning: str, sql: str = "", unit: str = "") -> Column:
    """A BIGINT column."""
    return Column(name, "BIGINT", meaning, f"CAST({sql or name} AS BIGINT)", unit)


def json(name: str, meaning: str, sql: str = "") -> Column:
    """A JSON column."""
    return Column(name, "JSON", meaning, f"CAST({sql or name} AS JSON)")


def truth(name: str, meaning: str, sql: str = "") -> Column:
    """A BOOLEAN column."""
    return Column(name, "BOOLEAN", meaning, sql or name)


def inherited(event_id: str) -> Column:
    """Whether a row is of the run before a reset or fork, by the event with which it was over; needs ``BRANCHED``."""
    return truth(
        "is_inherited",
        "Whether it was over when the run was reset or forked from another: its events were taken over, it happened "
        "there",
        f"coalesce({event_id} <= branched.event_id, FALSE)",
    )


def of_run(alias: str = "r") -> tuple[Column, ...]:
    """The columns that say which run a row belongs to; the same in every view that has them."""
    return (
        number("run_key", "Number of the run in this store; joins the views faster than the IDs", f"{alias}.run_key"),
        text("namespace", "Namespace of the run", f"{alias}.namespace"),
        text("workflow_id", "Workflow ID: the user's key", f"{alias}.workflow_id"),
        text("run_id", "Run ID: one execution", f"{alias}.run_id"),
        text("workflow_type", "Name of the workflow definition", f"{alias}.workflow_type"),
    )


def failures(failure: str, what: str) -> tuple[Column, ...]:
    """Columns about a failure; ``failure`` is an expression that gives its JSON or NULL."""
    return (
        text(
            "failure_type",
            f"Type of the failure of {what}: the application error's type, StartToCloseTimeout and the like, "
            "CancelledError, ActivityError, …; NULL where none",
            f"failure_type({failure})",
        ),
        Column("failure_message", "VARCHAR", "Its message", f"failure_message({failure})"),
        text(
            "root_failure_type",
            f"Type of the innermost cause (at most {CAUSES} links deep): what really went wrong",
            f"failure_type(root_failure({failure}))",
        ),
        Column(
            "root_failure_message",
            "VARCHAR",
            "Message of the innermost cause",
            f"failure_message(root_failure({failure}))",
        ),
        json("failure", "The whole failure in Temporal's shape, stack traces and causes included", failure),
    )


def payload(name: str, payloads: str, what: str) -> tuple[Column, ...]:
    """Columns of a value of which there is one (a result); ``payloads`` gives the list of payloads or NULL."""
    return (
        json(name, f"{what}, as JSON; NULL where it is no JSON", f"payload_json(({payloads}->'$[0]'))"),
        Column(
            f"{name}_error", "VARCHAR", f"Why {name} cannot be shown as JSON", f"payload_error(({payloads}->'$[0]'))"
        ),
        json(f"{name}_payload", f"{what}, as stored: what durable_nb.analytics.decode takes", f"({payloads}->'$[0]')"),
    )


def arguments(name: str, payloads: str, what: str) -> tuple[Column, ...]:
    """Columns of a list of values."""
    return (
        json(name, f"{what}, as a JSON list; null for a value that is no JSON", f"payloads_json({payloads})"),
        Column(f"{name}_error", "VARCHAR", f"Why a value of {name} is no JSON", f"payloads_error({payloads})"),
        json(f"{name}_payloads", f"{what}, as stored: what durable_nb.analytics.decode takes", payloads),
    )


def summary(metadata: str, what: str) -> Column:
    """The summary that a user attached."""
    return json(
        "summary", f"Summary that the user attached to {what}", f"payload_json((document({metadata})->'$.summary'))"
    )


def columns(*parts: Column | Iterable[Column]) -> tuple[Column, ...]:
    """One tuple of columns and groups of columns."""
    found: list[Column] = []
    for part in parts:
        found += [part] if isinstance(part, Column) else part
    return tuple(found)
