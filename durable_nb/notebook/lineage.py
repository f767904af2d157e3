"""Where a run comes from: the run that it was reset, retried or forked from, for facts and lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from durable_nb.core.branch import FORK_MEMO, FORK_WORDS
from durable_nb.model.attributes import WorkflowTaskFailed
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.requests import RunDescription
from durable_nb.notebook.text import safe_text


def lineage_facts(run: RunDescription, events: Sequence[Event]) -> list[tuple[str, str]]:
    """Facts about the origin of a run, the oldest ancestor first; none for a run that has none.

    All of them are in the history; without it, the run that it was made from is known.
    """
    facts = []
    for event in events:
        attributes = event.attributes
        if isinstance(attributes, WorkflowTaskFailed) and attributes.cause is WorkflowTaskFailedCause.RESET_WORKFLOW:
            reason = attributes.failure.message if attributes.failure is not None else ""
            base = f"run {safe_text(attributes.base_run_id)}"
            if reason.startswith(FORK_WORDS):
                facts.append(("goes on from", f"{base}: {safe_text(reason, 300)}"))
            else:
                text = f"{base}, up to event {event.event_id - 1}"
                facts.append(("goes on from", text + (f": {safe_text(reason, 200)}" if reason else "")))
    forked = fork_note(run.memo)
    if forked and not any(FORK_WORDS in text for _, text in facts):
        facts.append(("goes on from", forked))
    elif run.reset_from_run_id and not facts:
        facts.append(("goes on from", f"run {safe_text(run.reset_from_run_id)}, up to event {run.reset_event_id - 1}"))
    return facts


def origin_note(run: RunDescription) -> str:
    """Where a run comes from, in a few words for a list; "" for most."""
    forked = fork_note(run.memo)
    if forked or not run.reset_from_run_id:
        return forked
    return f"reset from run …{safe_text(run.reset_from_run_id[-6:])} at event {run.reset_event_id}"


def fork_note(memo: Mapping[str, Payload]) -> str:
    """``fork of order-1 at event 13``, "" for a run that is no fork."""
    payload = memo.get(FORK_MEMO)
    if payload is None:
        return ""
    try:
        origin = json.loads(payload.data)
        return f"fork of {safe_text(origin['workflowId'], 80)} at event {int(origin['eventId'])}"
    except (ValueError, KeyError, TypeError):  # encrypted, or written by somebody else
        return "a fork"


def own_memo(memo: Mapping[str, Payload]) -> dict[str, Payload]:
    """The memo without what says that the run is a fork."""
    return {name: payload for name, payload in memo.items() if name != FORK_MEMO}
