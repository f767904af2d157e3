"""The runs of which an engine holds the state: by run key, by run ID, and the open ones by workflow ID.

A cache: what is dropped is loaded and replayed when it is needed again, and nothing that was acknowledged is lost.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from durable_nb.engine.slot import RunSlot

RESTING_RUNS = 200
"""Cached runs above which those at rest are evicted."""

MOST_RUNS = 1000
"""Cached runs above which any that is not busy is evicted."""


class RunCache(OrderedDict[int, RunSlot]):
    """Slots by run key, those that were not looked at for the longest time first."""

    def __init__(self) -> None:
        super().__init__()
        self.open_runs: dict[tuple[str, str], int] = {}
        """Run key of each cached open run by (namespace, workflow ID)."""
        self.run_keys: dict[str, int] = {}
        """Run key of each cached run by run ID."""

    def find(self, namespace: str, workflow_id: str, run_id: str = "") -> int | None:
        """Run key of a cached run by its run ID, or without one of the open run of the workflow ID."""
        if run_id:
            return self.run_keys.get(run_id)
        return self.open_runs.get((namespace, workflow_id))

    def first_execution_run_id(self, run_key: int) -> str:
        """That of a cached run; "" where its state is not at hand."""
        slot = self.get(run_key)
        return "" if slot is None or slot.state is None else slot.state.first_execution_run_id

    def adopt(self, slot: RunSlot) -> None:
        """Cache a run whose state is at hand."""
        self[slot.run_key] = slot
        self.index(slot)

    def index(self, slot: RunSlot) -> None:
        """Make a run whose state is loaded known by its ids."""
        state = slot.state
        if state is None:
            return
        self.run_keys[state.run_id] = slot.run_key
        if state.is_open:
            self.open_runs[state.namespace, state.workflow_id] = slot.run_key

    def forget(self, slot: RunSlot) -> None:
        """Drop the state of a run, with its ids; the slot itself stays for what waits in it."""
        state = slot.state
        if state is not None:
            self.run_keys.pop(state.run_id, None)
            self.close(slot)
        slot.forget()

    def close(self, slot: RunSlot) -> None:
        """The run is closed: its workflow ID is free."""
        state = slot.state
        if state is not None and self.open_runs.get((state.namespace, state.workflow_id)) == slot.run_key:
            del self.open_runs[state.namespace, state.workflow_id]

    def drop(self, slot: RunSlot) -> None:
        """Stop caching a run; whatever waits in it must be gone."""
        self.forget(slot)
        self.pop(slot.run_key, None)

    def shrink(self, look: int) -> int:
        """Evict runs that were not touched for the longest time; how many were.

        A run at rest with a short history goes early: to replay it costs less than to keep it, and ten thousand
        sleeping runs must not fill the memory. Others go when there are more than ``MOST_RUNS``. Only the first
        ``look`` are looked at; what is busy is moved to the end, so that a look stays short.
        """
        evicted = 0
        for slot in list(islice(self.values(), look)):
            count = len(self)
            if count <= RESTING_RUNS:
                break
            if slot.is_busy or not (count > MOST_RUNS or slot.is_at_rest):
                self.move_to_end(slot.run_key)
            else:
                evicted += 1
                self.drop(slot)
        return evicted
