"""Verbs of the client that are about several runs: ``bulk`` and ``compare``.

What they do is imported when they are called: a program that only starts and resumes runs need not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from durable_nb.model.requests import Target

if TYPE_CHECKING:
    from durable_nb.client._bulk import BulkPlan
    from durable_nb.client._client import Client
    from durable_nb.client._comparison import Comparison


class BranchingClient:
    """See the module."""

    async def bulk(self, verb: str, runs: Any, **options: Any) -> BulkPlan:
        """Plan a verb for many runs: what it would do to each, and why it cannot to some. ``await plan.run()`` does it.

        Nothing is written before ``run``, which goes on past failures and keeps them by row.

        Parameters
        ----------
        verb
            ``fork``, ``retry``, ``reset``, ``cancel``, ``terminate`` or ``signal``.
        runs
            A DataFrame with the columns ``workflow_id`` and, optionally, ``run_id``; or handles, listed executions,
            workflow IDs, pairs of workflow and run ID.
        options
            As for the handle's method of that name; for a signal ``signal=`` and ``args=``. An option that is a
            function gets each row (a dict) and gives the row's value: ``activity_id=lambda row: row["activity_id"]``.

        Raises
        ------
        ValueError, TypeError
            An unknown verb, or something that names no run.
        """
        from durable_nb.client._bulk import plan_bulk  # noqa: PLC0415 - see the module docstring

        return await plan_bulk(cast("Client", self), verb, runs, options)

    async def compare(self, left: Any, right: Any) -> Comparison:
        """Two runs side by side, and where they part.

        Parameters
        ----------
        left, right
            Handles, listed executions, workflow IDs, or pairs of workflow and run ID.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        from durable_nb.client._comparison import compare_runs  # noqa: PLC0415 - see the module docstring

        client = cast("Client", self)
        return await compare_runs(client, _target(client, left), _target(client, right))


def _target(client: Client, run: Any) -> Target:
    if isinstance(run, str):
        return Target(client.namespace, run)
    if isinstance(run, tuple):
        return Target(client.namespace, *run)
    run_id = run.run_id or getattr(run, "result_run_id", None) or ""
    return Target(client.namespace, run.id, run_id)
