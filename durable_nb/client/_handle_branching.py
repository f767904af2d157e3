"""Verbs of a handle that look into the past of a run, and that go on from there: at, reset, fork, retry.

What they do is imported when they are called: a program that only starts and resumes runs need not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic

from durable_nb.client._display import history_slider
from durable_nb.client._naming import arg_unset
from durable_nb.client._typing import SelfType
from durable_nb.model.requests import Branched, Target

if TYPE_CHECKING:
    from durable_nb.client._branching import Ancestor
    from durable_nb.client._client import Client
    from durable_nb.client._handle import WorkflowHandle
    from durable_nb.client._moment import Moment
    from durable_nb.client._travel import Journey


class Branching(Generic[SelfType]):
    """See the module docstring. All verbs are for the handle's run: its ``run_id``, else the one it started."""

    _client: Client
    _id: str
    _run_id: str | None
    _result_run_id: str | None

    def _shown_run(self) -> Target:
        return Target(self._client.namespace, self._id, self._run_id or self._result_run_id or "")

    # -- the past --------------------------------------------------------------------------------------------------

    async def at(self, event_id: int, *, debug: bool = False, workflows: Sequence[Any] = ()) -> Moment:
        """The run as its code was at an event: its local variables, its stack, what was pending. Nothing is written.

        The history is replayed up to there in a fresh instance, in this thread. Code stands still only between two
        workflow tasks, so the state is that at the end of the first one that took the event in (``Moment.note`` says
        which). Where the code fails at its last task, the state is that in which it raises.

        Parameters
        ----------
        event_id
            From 1; negative ones count from the end of the history.
        debug
            ``breakpoint()`` in the code stops here, in the debugger; the guards against clock and I/O are off.
        workflows
            Definitions to replay on, for a program that has no worker. Otherwise the version that the run is pinned
            to, as the workers of this process have it, else their current one.

        Raises
        ------
        ValueError
            There is no such event.
        DefinitionMissingError
            DNB112: the definition is not in this process.
        NondeterminismError
            The code at hand does not do what the history says.
        RPCError
            NOT_FOUND: no such run.
        """
        return (await self.journey(workflows=workflows)).at(event_id, debug=debug)

    async def journey(self, *, workflows: Sequence[Any] = ()) -> Journey:
        """The history and the code together, for many looks: ``journey.at(n)`` needs no ``await``. Errors as ``at``."""
        from durable_nb.client._travel import open_journey  # noqa: PLC0415 - see the module docstring

        return await open_journey(self._client, self._shown_run(), workflows)

    async def lineage(self) -> list[Ancestor]:
        """The runs whose histories this one began with, by reset, retry or fork, the oldest first; none for most."""
        from durable_nb.client._branching import read_lineage  # noqa: PLC0415 - see the module docstring

        return await read_lineage(self._client, self._shown_run())

    def history_slider(self) -> Any:
        """A slider that walks through the history, ``at`` under each position; a table where widgets do not live.

        Raises
        ------
        NotebookError
            The extension is not loaded.
        """
        return history_slider(self)

    # -- going on from there ---------------------------------------------------------------------------------------

    async def reset(
        self,
        event_id: int | None = None,
        *,
        activity_id: str = "",
        first_task: bool = False,
        last_task: bool = False,
        diverging: bool = False,
        bad_definition: str = "",
        reason: str = "",
        reapply_signals: bool = True,
        reapply_updates: bool = True,
    ) -> WorkflowHandle[SelfType, Any]:
        """A new run of this workflow that goes on from an earlier workflow task, whose code runs anew; its handle.

        The open run of the workflow is terminated with it. Activities that were pending at the point run again; what
        completed before does not. Signals that came later are delivered again, accepted updates are asked again.
        Children that ran at the point report to the new run; those that were started later are ended, as the parent
        close policy says.

        Parameters
        ----------
        event_id
            Of a WorkflowTaskCompleted, …Failed, …TimedOut or …Started event.
        activity_id
            Instead: the task that scheduled this activity, so that the code schedules it anew.
        first_task, last_task
            Instead: the first or the last completed workflow task.
        diverging
            Instead: the first workflow task at which the code of now does something else than the history says.
        bad_definition
            Instead: digest (or its beginning) of the code that the run must have run on; then as ``diverging``, or,
            where the code of now agrees with all of the history, the last task. For many runs: ``Client.bulk``.

        Raises
        ------
        ValueError
            Not exactly one point was given.
        RPCError
            NOT_FOUND: no such run. INVALID_ARGUMENT: not a point to go back to; the message says which are near.
        """
        options = {
            "event_id": event_id,
            "activity_id": activity_id,
            "first_task": first_task,
            "last_task": last_task,
            "diverging": diverging,
            "bad_definition": bad_definition,
            "reason": reason,
            "reapply_signals": reapply_signals,
            "reapply_updates": reapply_updates,
        }
        return await self._branch("reset", options)

    async def fork(
        self,
        event_id: int | None = None,
        *,
        activity_id: str = "",
        input: Any = arg_unset,
        args: Sequence[Any] | None = None,
        result: Any = arg_unset,
        id: str = "",
        reason: str = "",
        reapply_signals: bool = False,
        reapply_updates: bool = False,
    ) -> WorkflowHandle[SelfType, Any]:
        """A copy of the run that goes on by itself from a point of the history; its handle. The original is untouched.

        Parameters
        ----------
        event_id
            Everything through this event is kept, the workflow task in which it stands whole. An event of a workflow
            task itself means, as for ``reset``, that the task runs anew.
        activity_id
            Instead: the activity runs anew; with ``result`` it has ended with that value, whatever it did.
        input, args
            Instead: from the very beginning with another argument (or several).
        id
            Workflow ID of the copy, ``<id>-fork-<n>`` by default.
        reapply_signals, reapply_updates
            Say again what others said to the original after the point. Off: an approval of the original is not one
            of an edited copy.

        Raises
        ------
        NondeterminismError
            The code at hand would not do what the kept part of the history says, under the new workflow ID: where
            it makes ids of activities or children from the workflow ID, fork before the first of those.
        WorkflowAlreadyStartedError
            The ID is in use.
        RPCError
            NOT_FOUND: no such run. INVALID_ARGUMENT: no such point, or a child of the original still runs there.
        """
        options = {
            "event_id": event_id,
            "activity_id": activity_id,
            "input": input,
            "args": args,
            "result": result,
            "id": id,
            "reason": reason,
            "reapply_signals": reapply_signals,
            "reapply_updates": reapply_updates,
        }
        return await self._branch("fork", options)

    async def retry(self, *, activity_id: str = "", reason: str = "") -> WorkflowHandle[SelfType, Any]:
        """Try again now what failed; the handle of the run that goes on.

        Of an open run: activities in back-off, and a failed workflow task, are tried at once, in the same run. A run
        that failed, was terminated or ran out of time is followed by a new run that has its history up to before the
        failure: the activity that failed runs again, siblings that completed do not; where the code itself raised,
        its last workflow task runs again on the code of now.

        Parameters
        ----------
        activity_id
            Only this activity; of a closed run, from before its end.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run. FAILED_PRECONDITION: nothing waits. INVALID_ARGUMENT: it did not fail.
        """
        return await self._branch("retry", {"activity_id": activity_id, "reason": reason})

    async def preview(self, verb: str, **options: Any) -> Branched:
        """What ``reset``, ``fork`` or ``retry`` with these options would do; nothing is written. Errors as theirs."""
        from durable_nb.client._branching import preview_branch  # noqa: PLC0415 - see the module docstring

        return await preview_branch(self._client, verb, self._branched_run(verb), options)

    async def _branch(self, verb: str, options: dict[str, Any]) -> WorkflowHandle[SelfType, Any]:
        from durable_nb.client._branching import branch  # noqa: PLC0415 - see the module docstring

        made = await branch(self._client, verb, self._branched_run(verb), options)
        return self._client.get_workflow_handle(made.workflow_id, run_id=made.run_id or made.base_run_id)

    def _branched_run(self, verb: str) -> Target:
        # What is to be tried again is the run of today, whatever the handle began with.
        return Target(self._client.namespace, self._id, self._run_id or "") if verb == "retry" else self._shown_run()
