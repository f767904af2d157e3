"""Queries that every run answers: where it stands, and what it can be asked (temporal-semantics 3.6)."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from durable_nb.runtime.handlers import HandlerDefinition, QueryDefinition
from durable_nb.runtime.place import coroutine_frames

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance

NAMES = ("__enhanced_stack_trace", "__stack_trace", "__temporal_workflow_metadata")


def find(run: WorkflowInstance, name: str) -> QueryDefinition | None:
    """Definition of a built-in query; None for other names."""
    answer = _ANSWERS.get(name)
    return None if answer is None else QueryDefinition(name, lambda: answer(run), is_method=False)


def stack_trace(run: WorkflowInstance) -> str:
    """Where each task waits, as text."""
    stacks = []
    for task in run.loop.tasks:
        if task.done() or task.get_name().startswith("query: "):
            continue
        lines = [f"Stack for {task!r} (most recent call last):"]
        for frame in coroutine_frames(task.get_coro()):
            code = frame.f_code
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}')
            source = linecache.getline(code.co_filename, frame.f_lineno).strip()
            if source:
                lines.append(f"    {source}")
        stacks.append("\n".join(lines) + "\n")
    return "\n\n".join(stacks)


def enhanced_stack_trace(run: WorkflowInstance) -> dict[str, Any]:
    """Where each task waits, with the sources; keys as in the protocol's JSON."""
    sources: dict[str, Any] = {}
    stacks = []
    for task in run.loop.tasks:
        if task.done() or task.get_name().startswith("query: "):
            continue
        locations = []
        for frame in coroutine_frames(task.get_coro()):
            code = frame.f_code
            file = code.co_filename
            if file not in sources:
                # linecache knows cells as well as files.
                content = "".join(linecache.getlines(file)) or "Cannot access code.\n"
                sources[file] = {"lineOffset": 0, "content": content}
            locations.append(
                {
                    "filePath": file,
                    "line": frame.f_lineno,
                    "column": -1,
                    "functionName": code.co_name,
                    "internalCode": False,
                }
            )
        stacks.append({"locations": locations})
    sdk = {"name": run.options.sdk_name, "version": run.options.sdk_version}
    return {"sdk": sdk, "sources": sources, "stacks": stacks}


def workflow_metadata(run: WorkflowInstance) -> dict[str, Any]:
    """Type, handlers and current details; keys as in the protocol's JSON."""
    queries = [*run.queries.values(), *(QueryDefinition(name, str, is_method=False) for name in NAMES)]
    return {
        "definition": {
            "type": run.workflow_type,
            "queryDefinitions": _interactions(queries),
            "signalDefinitions": _interactions(run.signals.values()),
            "updateDefinitions": _interactions(run.updates.values()),
        },
        "currentDetails": run.current_details,
    }


def _interactions(definitions: Iterable[HandlerDefinition]) -> list[dict[str, str]]:
    found = [{"name": each.name or "", "description": each.description or ""} for each in definitions]
    return sorted(found, key=lambda each: each["name"])


_ANSWERS: dict[str, Callable[[WorkflowInstance], Any]] = {
    "__stack_trace": stack_trace,
    "__enhanced_stack_trace": enhanced_stack_trace,
    "__temporal_workflow_metadata": workflow_metadata,
}
