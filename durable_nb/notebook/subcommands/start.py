"""``%workflow start``: start a run."""

from __future__ import annotations

import argparse
import uuid
from typing import TYPE_CHECKING, Any

from durable_nb.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durable_nb.errors import NotebookError
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.notebook.subcommands.arguments import add_input, add_type, completed_by, positive
from durable_nb.notebook.subcommands.handlers import definition_of
from durable_nb.notebook.subcommands.inputs import check_start
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.subcommands.values import duration, one_of, pair
from durable_nb.notebook.versions import DYNAMIC
from durable_nb.notebook.words import did_you_mean

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

_DURATIONS = {
    "execution_timeout": "limit of the whole chain of runs",
    "run_timeout": "limit of one run",
    "task_timeout": "limit of one workflow task (10s when left out)",
    "start_delay": "wait before the first step",
}


def configure(parser: argparse.ArgumentParser) -> None:
    add_type(parser, "type", help="workflow type")
    parser.add_argument("--id", "--workflow-id", "-w", dest="id", default="", help="workflow ID; made up when left out")
    add_input(parser)
    parser.add_argument("--wait", action="store_true", help="wait for the result and give that (interrupt to stop)")
    parser.add_argument("--task-queue", "-t", default="", help="task queue of a worker elsewhere")
    signal = parser.add_argument("--start-signal", default="", metavar="NAME", help="signal-with-start: send it, too")
    completed_by(signal, _signals)
    parser.add_argument(
        "--signal-input", action="append", default=[], metavar="JSON", help="argument of that signal; as --input"
    )
    for name, policy, left_out, text in (
        ("reuse", WorkflowIDReusePolicy, (), "when the last run with the ID is closed"),
        (
            "conflict",
            WorkflowIDConflictPolicy,
            (WorkflowIDConflictPolicy.UNSPECIFIED,),
            "when a run with the ID is open",
        ),
    ):
        read, spellings = one_of(policy, *left_out)
        option = parser.add_argument(
            f"--id-{name}-policy", type=read, metavar="POLICY", help=f"{text}: {', '.join(spellings)}"
        )
        completed_by(option, lambda session, options, offered=spellings: offered)  # type: ignore[misc]
    for name, text in _DURATIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=duration, metavar="30s", help=text)
    parser.add_argument(
        "--max-attempts", type=positive, metavar="N", help="try a failed workflow again, so often in all"
    )
    parser.add_argument("--cron", default="", help="start again and again, e.g. '0 8 * * MON-FRI'")
    for name, text in (("memo", "kept with the run"), ("search-attribute", "kept with the run and indexed")):
        parser.add_argument(f"--{name}", type=pair, action="append", default=[], metavar="KEY=JSON", help=text)
    parser.add_argument("--summary", default="", help="one line about the run, for people")
    parser.add_argument("--details", default="", help="a longer text about the run")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    _check_type(session, options)
    if not options.task_queue:
        check_start(session, definition_of(session, options.type), options.inputs)
    ident = options.id or f"{options.type}-{uuid.uuid4().hex[:8]}"
    client: Any = session.client
    try:
        handle = session.run(
            client.start_workflow(options.type, args=options.inputs, id=ident, **_keywords(session, options))
        )
    except WorkflowAlreadyStartedError as error:
        if options.id_reuse_policy is None:
            fix = (
                "another --id; --id-conflict-policy UseExisting gives the one that runs, TerminateExisting replaces it"
            )
        else:
            fix = "another --id, or another --id-reuse-policy"
        raise NotebookError(f"there is a workflow {ident!r} already", fix=fix) from error
    return session.run(handle.result()) if options.wait else handle


def _check_type(session: NotebookSession, options: argparse.Namespace) -> None:
    types = session.types()
    if options.type in types or options.task_queue or DYNAMIC in session.definitions.keeper.current:
        return
    fix = f"this notebook runs {', '.join(types)}" if types else "run the %%workflow cell that defines it"
    raise NotebookError(
        f"there is no workflow {options.type!r} here" + did_you_mean(options.type, types),
        fix=f"{fix}; for a worker elsewhere give its --task-queue",
    )


def _keywords(session: NotebookSession, options: argparse.Namespace) -> dict[str, Any]:
    """Keywords of ``start_workflow``; what was not said is left to its defaults."""
    definition = definition_of(session, options.type)
    said = {
        "task_queue": options.task_queue,
        "result_type": definition.ret_type if definition is not None else None,
        "id_reuse_policy": options.id_reuse_policy,
        "id_conflict_policy": options.id_conflict_policy,
        **{name: getattr(options, name) for name in _DURATIONS},
        "retry_policy": RetryPolicy(maximum_attempts=options.max_attempts) if options.max_attempts else None,
        "cron_schedule": options.cron,
        "memo": dict(options.memo),
        "search_attributes": _search_attributes(options.search_attribute),
        "static_summary": options.summary,
        "static_details": options.details,
        "start_signal": options.start_signal,
    }
    found = {name: value for name, value in said.items() if value is not None and value not in ("", {})}
    if options.start_signal:
        found["start_signal_args"] = options.signal_input
    elif options.signal_input:
        raise NotebookError("--signal-input needs a signal", fix="name it: --start-signal NAME")
    return found


def _search_attributes(pairs: list[tuple[str, Any]]) -> TypedSearchAttributes | None:
    found = []
    for name, value in pairs:
        key = SearchAttributeKey.guess_from_values(name, value if isinstance(value, list) else [value])
        if key is None:
            raise NotebookError(
                f"--search-attribute {name} has a value of a type that cannot be indexed: {type(value).__name__}",
                fix="it may be a text, a number, true or false, or a list of texts",
            )
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            key = SearchAttributeKey.for_keyword_list(name)
        found.append(SearchAttributePair(key, value))
    return TypedSearchAttributes(found) if found else None


def _signals(session: NotebookSession, options: argparse.Namespace) -> list[str]:
    definition = definition_of(session, options.type or "")
    return [] if definition is None else [name for name in definition.signals if name]


COMMAND = Subcommand(
    "start",
    "start a run",
    configure,
    run,
    (
        """%workflow start OrderWorkflow --id order-1 --input '{"item": "book", "count": 2}'""",
        "%workflow start OrderWorkflow --id order-{n} --input {order} --wait",
        "%workflow start Cart --id cart-ann --start-signal add --signal-input '\"book\"'",
        "%workflow start Report --id daily --cron '0 8 * * *' --run-timeout 1h --memo owner='\"ann\"'",
        "%workflow start OrderWorkflow --id order-1 --id-conflict-policy UseExisting",
    ),
)
