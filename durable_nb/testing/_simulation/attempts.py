"""Attempts of activities in the simulated processes: slots, lines, heartbeats, ends, and processes that come and go."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from durable_nb.core import activities
from durable_nb.core.state import ActivityState, ExecutionState
from durable_nb.core.transition import OWNER_EXTERNAL, Transition
from durable_nb.testing._simulation.behaviour import HANGS, HOUR, MINUTE, SECOND, draw, heartbeat_of
from durable_nb.testing._simulation.fleet import Process

if TYPE_CHECKING:
    from durable_nb.testing._simulation.world import World

POLL = (4_000, 60_000)
"""Microseconds until another process finds what it may take."""

TAKE_OVER = 12 * SECOND
"""From the death of a process to the moment in which others take over what it held."""

BACK = 10 * MINUTE


class Attempts:
    """The activity half of the simulated workers."""

    def __init__(self, world: World) -> None:
        self._world = world

    # -- after a commit --------------------------------------------------------------------------------------------

    def release(self, tx: Transition) -> None:
        """What a committed transition sets in motion."""
        world, state = self._world, tx.state
        process = world.fleet.by_key[tx.context.process_key]
        for activity in tx.unused_leases:
            self._free(process, activity.attributes.task_queue)
        for activity in tx.started_activities:
            self._begin(state, activity, process)
        for activity in tx.queued_activities:
            line = process.waiting.setdefault(activity.attributes.task_queue, deque())
            line.append((state.run_key, activity.scheduled_event_id))
        for activity in tx.put_activities.values():
            if activity.owner == 0 and not activity.is_started and not activity.backs_off:
                queue = activity.attributes.task_queue
                world.fleet.unserved.setdefault(queue, deque()).append((state.run_key, activity.scheduled_event_id))
                world.at(world.now + world.random.randint(*POLL), self._serve, queue)

    def _begin(self, state: ExecutionState, activity: ActivityState, process: Process) -> None:
        world, attributes = self._world, activity.attributes
        took, ending = draw(world.random, attributes.activity_type, world.hour)
        if ending == HANGS:
            took = (attributes.heartbeat_timeout or attributes.start_to_close_timeout or HOUR) + 5 * SECOND
        name = (state.run_key, activity.scheduled_event_id, activity.token)
        world.at(world.now + took, self._end, name, process, ending, attributes.task_queue)
        beat = heartbeat_of(attributes.activity_type)
        if beat and ending != HANGS:
            for number in range(1, took // beat + 1):
                world.at(world.now + number * beat, self._heartbeat, name, process, number)

    def _heartbeat(self, name: tuple[int, int, int], process: Process, number: int) -> None:
        if not process.is_alive:
            return
        run_key, scheduled_id, token = name
        details = self._world.code.converter.to_payloads([number])
        self._world.step(run_key, lambda tx: activities.heartbeat(tx, scheduled_id, token, details), process)

    def _end(self, name: tuple[int, int, int], process: Process, ending: Exception | str | None, queue: str) -> None:
        """The attempt reports, whether or not anybody still waits for it; then its slot is free."""
        if not process.is_alive:
            return
        run_key, scheduled_id, token = name
        code, identity = self._world.code, process.plan.identity

        def decide(tx: Transition) -> None:
            activity = activities.find_attempt(tx.state, scheduled_id, token)
            if activity is None or ending == HANGS:
                return
            if activity.cancel_requested_event_id and heartbeat_of(activity.attributes.activity_type):
                activities.cancel(tx, activity, None, identity)
            elif isinstance(ending, Exception):
                activities.fail(tx, activity, code.failure(ending), identity)
            else:
                attributes = activity.attributes
                activities.complete(tx, activity, code.result(attributes.activity_type, attributes.input), identity)

        self._free(process, queue)
        self._world.step(run_key, decide, process)

    # -- slots -----------------------------------------------------------------------------------------------------

    def _free(self, process: Process, queue: str) -> None:
        process.free[queue] += 1
        self._world.at(self._world.now, self._serve_process, process, queue)

    def _serve(self, queue: str) -> None:
        """Give what waits in the store to processes with free slots."""
        fleet = self._world.fleet
        line = fleet.unserved.get(queue)
        while line and (process := fleet.idle(queue)) is not None:
            run_key, scheduled_id = line.popleft()
            self._take(process, run_key, scheduled_id)

    def _serve_process(self, process: Process, queue: str) -> None:
        """A slot came free: first the line of this process, then the store."""
        line = process.waiting.get(queue)
        while line and process.is_up and process.free[queue] > 0:
            run_key, scheduled_id = line.popleft()
            process.free[queue] -= 1
            started: list[bool] = []

            def decide(tx: Transition, scheduled_id: int = scheduled_id, started: list[bool] = started) -> None:
                started.append(activities.start_queued(tx, scheduled_id))

            self._world.step(run_key, decide, process)
            if not any(started):
                process.free[queue] += 1
        self._serve(queue)

    def _take(self, process: Process, run_key: int, scheduled_id: int) -> None:
        def decide(tx: Transition) -> None:
            activity = tx.state.activities.get(scheduled_id)
            if activity is not None and activity.owner == 0 and not activity.backs_off and not activity.is_over:
                activities.lease(tx, activity)

        self._world.step(run_key, decide, process)

    # -- processes that come and go ----------------------------------------------------------------------------------

    def plan_days(self) -> None:
        """Plan when processes are there."""
        world = self._world
        begin = world.started_at
        for process in world.fleet.processes:
            plan = process.plan
            for hour in plan.crashes:
                world.at(begin + int(hour * HOUR), self._crash, plan.identity)
            for first, last in plan.absences:
                world.at(begin + int(first * HOUR), self._go, plan.identity)
                world.at(begin + int(last * HOUR), self._come, plan.identity)

    def _named(self, identity: str) -> Process:
        return next(each for each in self._world.fleet.processes if each.plan.identity == identity)

    def _go(self, identity: str) -> None:
        """Close for the night: what runs is finished, what waits goes back to the store."""
        process = self._named(identity)
        process.is_up = False
        for line in process.waiting.values():
            while line:
                run_key, scheduled_id = line.popleft()
                self._world.step(run_key, lambda tx, it=scheduled_id: _give_back(tx, it), process)  # type: ignore[misc]

    def _come(self, identity: str) -> None:
        process = self._named(identity)
        process.is_up = True
        self._world.serve_waiting(process.plan.workflows)
        for queue in process.plan.slots:
            self._serve(queue)

    def _crash(self, identity: str) -> None:
        """The process dies with all it held; others, or its successor, take over."""
        world, process = self._world, self._named(identity)
        process.is_up = process.is_alive = False
        process.waiting.clear()
        world.at(world.now + TAKE_OVER, self._take_over, process)
        world.at(world.now + BACK, self._return, process)

    def _return(self, process: Process) -> None:
        successor = self._world.fleet.restart(process, self._world.now)
        self._take_over(process)
        self._come(successor.plan.identity)

    def _take_over(self, dead: Process) -> None:
        """Somebody who is there looks at all runs and loses what the dead process held."""
        world = self._world
        heirs = [
            each for each in world.fleet.processes if each.is_up and each.plan.slots.keys() & dead.plan.slots.keys()
        ]
        if not heirs:
            return
        for run_key, run in list(world.runs.items()):
            if any(activity.owner == dead.key for activity in run.state.activities.values()):
                world.step(run_key, lambda tx: _lose(tx, dead.key), heirs[0])


def _lose(tx: Transition, key: int) -> None:
    for activity in list(tx.state.activities.values()):
        if activity.owner == key and activity.owner != OWNER_EXTERNAL and not activity.is_over:
            activities.lose(tx, activity)


def _give_back(tx: Transition, scheduled_id: int) -> None:
    activity = tx.state.activities.get(scheduled_id)
    if activity is not None and not activity.is_started and not activity.is_over and not activity.backs_off:
        activities.lease(tx, activity)
