"""One verb for many runs: first a plan that says for each row what would happen, then, on the word, the doing.

A plan writes nothing. Running it never stops at the first failure: each row has its own outcome.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durable_nb.client._branching import branch
from durable_nb.client._display import bulk_progress
from durable_nb.client._run_names import named_runs
from durable_nb.model.requests import Branched, RunDescription, Target
from durable_nb.model.spelling import nearest
from durable_nb.service import RPCError

if TYPE_CHECKING:
    import pandas as pd

    from durable_nb.client._client import Client
    from durable_nb.client._handle import WorkflowHandle

AT_A_TIME = 16
"""Rows that are worked on side by side."""

Progress = Callable[[int, int, int], None]
"""Told after each row: rows done so far, how many of them failed, and how many there are."""

VERBS = ("fork", "retry", "reset", "cancel", "terminate", "signal")


@dataclass
class BulkRow:
    """One run of a plan.

    Attributes
    ----------
    workflow_id, run_id
        Which run; ``run_id`` "" means the current one.
    would
        What would happen, in words; after the run what did.
    problem
        Why it cannot, "" where it can; after the run: why it failed.
    done
        Whether it was done.
    new_workflow_id, new_run_id
        The run that came of it, "" where none did.
    """

    workflow_id: str
    run_id: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    would: str = ""
    problem: str = ""
    done: bool = False
    new_workflow_id: str = ""
    new_run_id: str = ""


class BulkPlan:
    """What a verb would do to many runs, and after ``run`` what it did. Shows itself."""

    def __init__(self, client: Client, verb: str, rows: Sequence[BulkRow]) -> None:
        self._client = client
        self.verb = verb
        self.rows = list(rows)
        self.has_run = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ready(self) -> list[BulkRow]:
        """Rows to which it can be done, and that have not been done yet."""
        return [row for row in self.rows if not row.problem and not row.done]

    @property
    def refused(self) -> list[BulkRow]:
        """Rows to which it cannot be done, or, after ``run``, for which it failed."""
        return [row for row in self.rows if row.problem]

    @property
    def done(self) -> list[BulkRow]:
        """Rows to which it was done."""
        return [row for row in self.rows if row.done]

    async def run(self, progress: Progress | None = None) -> BulkPlan:
        """Do it to all rows that are ready; this plan, with what came of each.

        Failures are collected in ``problem``; none stops the others. Rows that are done are not done again, so a
        second ``run`` does nothing.

        Parameters
        ----------
        progress
            Told after each row. In a notebook a line under the cell counts by default.
        """
        ready = self.ready
        told = progress or bulk_progress(self.verb, len(ready))
        count = failed = 0

        async def one(row: BulkRow) -> None:
            nonlocal count, failed
            await _do(self._client, self.verb, row)
            count += 1
            failed += bool(row.problem)
            if told is not None:
                told(count, failed, len(ready))

        await _side_by_side(one, ready)
        self.has_run = True
        return self

    def frame(self) -> pd.DataFrame:
        """One row for each run.

        Returns
        -------
        DataFrame
            workflow_id, run_id, verb, would, problem, done, new_workflow_id, new_run_id.
        """
        import pandas as pd  # noqa: PLC0415 - only those who want frames pay for it

        names = ("workflow_id", "run_id", "would", "problem", "done", "new_workflow_id", "new_run_id")
        rows = [{"verb": self.verb, **{name: getattr(row, name) for name in names}} for row in self.rows]
        return pd.DataFrame(rows, columns=["workflow_id", "run_id", "verb", *names[2:]])

    def __repr__(self) -> str:
        state = f"{len(self.done)} done" if self.has_run else f"{len(self.ready)} would be done"
        return f"<BulkPlan {self.verb}: {len(self.rows)} runs, {state}, {len(self.refused)} refused>"


async def plan_bulk(client: Client, verb: str, runs: Any, options: Mapping[str, Any]) -> BulkPlan:
    """Find out what the verb would do to each run.

    Raises
    ------
    ValueError
        An unknown verb, or a frame without a column ``workflow_id``.
    TypeError
        ``runs`` holds something that names no run, or the verb has no such option.
    """
    if verb not in VERBS:
        raise ValueError(f"there is no bulk verb {verb!r}: {', '.join(VERBS)}")
    _check_options(verb, getattr(client.get_workflow_handle("_"), verb), options)
    rows = [_row(named, options) for named in named_runs(runs)]
    plan = BulkPlan(client, verb, rows)

    async def look(row: BulkRow) -> None:
        try:
            row.would = await _would(client, verb, row)
        except (RPCError, ValueError, TypeError) as error:
            row.problem = _words(error)
        except Exception as error:  # what workflow code does in the replay of one row is that row's problem
            row.problem = _words(error)

    await _side_by_side(look, rows)
    return plan


def _check_options(verb: str, method: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse at once what each of the rows would be refused for."""
    known = [name for name, found in inspect.signature(method).parameters.items() if found.kind is not _VARIADIC]
    for name in options:
        if name not in known:
            close = nearest(name, known)
            guess = f": did you mean {close!r}?" if close else f"; it has {', '.join(known)}"
            raise TypeError(f"{verb} has no option {name!r}{guess}")


_VARIADIC = inspect.Parameter.VAR_POSITIONAL


async def _side_by_side(work: Callable[[BulkRow], Any], rows: Iterable[BulkRow]) -> None:
    gate = asyncio.Semaphore(AT_A_TIME)

    async def guarded(row: BulkRow) -> None:
        async with gate:
            await work(row)

    await asyncio.gather(*(guarded(row) for row in rows))


def _words(error: BaseException) -> str:
    text = getattr(error, "message", "") or str(error)
    return text if isinstance(error, RPCError | ValueError) else f"{type(error).__name__}: {text}"


def _row(named: dict[str, Any], options: Mapping[str, Any]) -> BulkRow:
    """A row with its options; an option that is a function gets the row of the frame."""
    own = {name: value(named) if callable(value) else value for name, value in options.items()}
    return BulkRow(str(named["workflow_id"]), named["run_id"], own)


# -- doing -------------------------------------------------------------------------------------------------------------


def _handle(client: Client, row: BulkRow) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(row.workflow_id, run_id=row.run_id or None)


async def _would(client: Client, verb: str, row: BulkRow) -> str:
    handle = _handle(client, row)
    if verb in ("fork", "retry", "reset"):
        return describe_branch(await handle.preview(verb, **row.options))
    description: RunDescription = await client.frontend.describe_workflow(
        Target(client.namespace, row.workflow_id, row.run_id)
    )
    if description.close_time:
        raise ValueError(
            f"it is {description.status.name.lower().replace('_', ' ')}: only an open run can hear of that"
        )
    words = {"cancel": "is asked to cancel itself", "terminate": "is ended at once, none of its code runs"}
    if verb == "signal":
        if not isinstance(row.options.get("signal"), str):
            raise ValueError('a signal needs its name: bulk("signal", runs, signal="approve", args=[True])')
        return f"gets the signal {row.options['signal']}"
    return words[verb]


async def _do(client: Client, verb: str, row: BulkRow) -> None:
    handle = _handle(client, row)
    try:
        if verb in ("fork", "retry", "reset"):
            made = await branch(client, verb, handle._branched_run(verb), row.options)
            row.would = describe_branch(made)
            if made.run_id:
                row.new_workflow_id, row.new_run_id = made.workflow_id, made.run_id
        elif verb == "signal":
            await handle.signal(row.options["signal"], args=row.options.get("args", []))
        else:
            await getattr(handle, verb)(**row.options)
        row.done = True
    except asyncio.CancelledError:
        raise
    except Exception as error:  # one row's failure is its own
        row.problem = _words(error)


def describe_branch(made: Branched) -> str:
    """What a reset, fork or retry does, in a line."""
    parts = []
    if made.verb == "retry" and not made.events and not made.run_id:
        parts.append(
            "tried now: " + ", ".join([*made.activities, *(["the workflow task"] if made.workflow_task else [])])
        )
        return "; ".join(parts)
    if made.verb == "fork":
        parts.append(f"copy {made.workflow_id} of events 1 to {made.event_id}")
    else:
        parts.append(f"new run from events 1 to {made.event_id}")
    if made.changed:
        parts.append(f"{made.changed} changed")
    if made.activities:
        parts.append(f"runs again: {', '.join(made.activities[:5])}{' …' if len(made.activities) > 5 else ''}")
    if made.ends_open_run:
        parts.append("the open run is ended")
    if made.children:
        parts.append(f"takes over {', '.join(made.children[:5])}")
    for count, word in ((made.signals, "signal"), (made.updates, "update")):
        if count:
            parts.append(f"{count} {word}{'s' if count > 1 else ''} again")
    return "; ".join(parts)
