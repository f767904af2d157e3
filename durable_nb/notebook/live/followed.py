"""One run that is shown: when to look at it again, what to send, and what its buttons do.

Looking and sending happen on the board's thread, requests on the engine's loop; a message of the browser may come on
any thread. So the only state that two threads touch are the flags that are set here, each by one assignment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from durable_nb.errors import DurableError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import Target
from durable_nb.notebook.blocks import Block
from durable_nb.notebook.display import now_us
from durable_nb.notebook.live.actions import carry_out
from durable_nb.notebook.live.estimates import LEARN_FROM
from durable_nb.notebook.live.fallback import Fallback
from durable_nb.notebook.live.forms import joined, talk_of_definition, talk_of_metadata
from durable_nb.notebook.live.look import Seen, look, opened
from durable_nb.notebook.live.pace import Pace as LookPace
from durable_nb.notebook.live.questions import TimelineQuestions
from durable_nb.notebook.live.state import Picture, run_state
from durable_nb.notebook.views import run_blocks
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.model.records import Pace
    from durable_nb.notebook.live.board import LiveBoard

ANSWERS_WITHIN = 2.0
"""Seconds that the board's thread waits for the engine before it says that it is busy."""

LOOK_ANYWAY = 2.0
"""Seconds after which an open run is looked at though nothing was seen to change: others may have written."""

BEAT_EVERY = 4.0
"""Seconds between two signs of life; the browser believes the kernel gone after four times as long."""

LAST_LOOK = 1.5
"""Seconds after a run was closed when its output is in the store for certain, and the display is final."""

GIVES_UP = 5
"""Looks in a row that may fail before a display says that it follows no more."""

_PACES_LAST = 30.0


class Place(Protocol):
    """Where a run is shown: the widget and the readable output beside it."""

    widget: Any
    fallback: Fallback


class FollowedRun:
    """A run and the widget that shows it.

    Parameters
    ----------
    seen
        The run as it is now, opened.
    client
        What its values are read and written by, and what its buttons use.
    place
        Where it is shown already, empty so far.
    """

    def __init__(
        self,
        board: LiveBoard,
        target: Target,
        seen: Seen,
        client: Client,
        *,
        follows_chain: bool,
        place: Place | None = None,
    ) -> None:
        self._board = board
        self._session = board.session
        self._client = client
        self.target = target
        self._seen = seen
        self._follows_chain = follows_chain
        self._stamp: Any = None
        self._pace = LookPace(1 / board.rate)
        self._look_anyway = time.monotonic() + LOOK_ANYWAY
        self._next_beat = 0.0
        self._closed_at = 0.0
        self._failures = 0
        self._views = 0
        self._was_seen = False
        self._paces: dict[str, tuple[float, list[Pace]]] = {}
        self._timeline_of: Any = None
        self._unfolded = False
        self._asked: TimelineQuestions | None = None
        self.is_over = False
        if place is not None:
            self.widget, self.fallback = place.widget, place.fallback
        else:
            self.widget = board.make_run_view(self.receive, f"live display of {seen.run.workflow_id!r}")
            self.fallback = Fallback(board.session, self.widget.model_id)
        self.widget.show({**self._parts(seen), "fallback": self.fallback.css_class, "link": {"state": "live"}})

    def shows(self, run_id: str, client: Client) -> bool:
        """Whether it is the display of this run, for who reads its values by this client."""
        return self._seen.run.run_id == run_id and self._client.data_converter is client.data_converter

    def blocks(self, seen: Seen | None = None) -> list[Block]:
        """What the readable output says, of what was seen last or is given."""
        seen, session = seen or self._seen, self._session
        return run_blocks(
            seen.run,
            seen.attempts,
            seen.events,
            now=now_us(),
            definition_note=self._note(seen),
            cell_of=session.cell_of,
        )

    # -- on the board's thread -------------------------------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether to look at the run now; cheap, asked ten times a second."""
        if self.is_over or now < self._pace.next_look:
            return False
        if not self.widget.is_open:
            self.is_over = True
            return False
        if self._was_seen and self._views <= 0:
            return False  # no browser draws it; the next that does says so
        if self._closed_at:
            return now >= self._closed_at + LAST_LOOK
        return now >= self._look_anyway or self._stamp_now() != self._stamp

    def _stamp_now(self) -> Any:
        engine = self._session.engine.engine
        slot = engine.slots.get(self._seen.run_key)
        state = slot.state if slot is not None else None
        return (state.version if state is not None else 0, engine.outputs.version(self._seen.run_key))

    def refresh(self) -> None:
        """Look at the run and send what changed."""
        self._pace.begin()
        is_last = self._closed_at > 0
        self._stamp = self._stamp_now()
        try:
            looked = self._session.run(look(self._session.engine, self.target, self._seen), ANSWERS_WITHIN)
            self._seen = opened(looked, self._seen, self._client.data_converter.payload_codec)
            self._failures = 0
            self._show(is_last)
        except TimeoutError:
            self._say("live", "the engine is busy; this is the last known state")
        except RPCError as error:
            self._fail(error, gone=error.status is RPCStatusCode.NOT_FOUND)
        except (DurableError, asyncio.CancelledError, RuntimeError, OSError) as error:
            self._fail(error)
        now = self._pace.end(self._board.count)
        if now >= self._next_beat and self.widget.is_open:
            self._next_beat = now + BEAT_EVERY
            self.widget.beat += 1
        self._look_anyway = now + LOOK_ANYWAY

    def _show(self, is_last: bool) -> None:
        seen = self._seen
        is_open = seen.run.status is WorkflowExecutionStatus.RUNNING
        following = "" if is_open or not self._follows_chain else _successor(seen)
        state = "live" if is_open or following or not is_last else "ended"
        changed = self.widget.show({**self._parts(seen), "link": {"state": state}})
        if following:
            self._asked, self._unfolded = None, False
            self.target = Target(self.target.namespace, self.target.workflow_id, following)
        elif not is_open:
            self._closed_at = self._closed_at or time.monotonic()
            self.is_over = is_last
        if changed:
            self.fallback.changed(self.blocks, now=not is_open)

    def _parts(self, seen: Seen) -> dict[str, Any]:
        session, run = self._session, seen.run
        now = now_us()
        talk = joined(talk_of_definition(self._board.definition_of(run.workflow_type)), talk_of_metadata(seen.metadata))
        picture = Picture(
            run,
            seen.attempts,
            seen.events,
            seen.outputs,
            seen.trace,
            str(seen.metadata.get("currentDetails") or ""),
            talk,
            {kind: self._paces_of(kind) for kind in {each.activity_type for each in run.pending_activities}},
            now,
            self._note(seen),
            session.cell_of,
        )
        return {**run_state(picture), **self._timeline(seen, now)}

    def _timeline(self, seen: Seen, now: int) -> dict[str, Any]:
        if self._unfolded:
            return {}  # children are in the picture now: their reader sends it
        # Bars of what still runs grow in the browser; only a change of the run is worth a new picture.
        key = (seen.run.run_id, seen.run.history_length, len(seen.attempts), self._stamp and self._stamp[0])
        if key == self._timeline_of:
            return {}
        self._timeline_of = key
        return {"timeline": self._board.pack_timeline(seen, now)}

    def _paces_of(self, activity_type: str) -> list[Pace]:
        known = self._paces.get(activity_type)
        now = time.monotonic()
        if known is None or now > known[0] + _PACES_LAST:
            store = self._session.engine.store
            known = self._paces[activity_type] = (now, store.recent_paces(activity_type, LEARN_FROM))
        return known[1]

    def _note(self, seen: Seen) -> str:
        task = seen.run.pending_workflow_task
        waits = task is not None and task.waits_for_definition
        return self._session.definition_note(seen.run.workflow_type, seen.run.definition) if waits else ""

    def _fail(self, error: BaseException, *, gone: bool = False) -> None:
        self._failures += 1
        if gone:
            self._end("this run is no longer in the store: it was deleted, or the store was replaced")
        elif self._session.engine.is_closed:
            self._end("the engine was stopped; %reload_ext durable_nb starts it again")
        elif self._failures >= GIVES_UP:
            self._end(f"this display follows no more: {type(error).__name__}: {error}")
        else:
            self._say("live", f"{type(error).__name__}: {error}")

    def _end(self, message: str) -> None:
        self.is_over = True
        self._say("ended", message)
        self.fallback.changed(self.blocks, now=True, note=message)

    def _say(self, state: str, message: str) -> None:
        self.widget.show({"link": {"state": state, "message": self._board.safe(message)}})

    def stop(self, message: str) -> None:
        """Follow the run no more."""
        if not self.is_over:
            self._end(message)

    # -- on any thread ---------------------------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """A message of the browser."""
        kind = message.get("kind")
        if kind == "seen":
            self._was_seen, self._views = True, self._views + 1
            self._look_anyway = 0.0
            self._board.wake()
        elif kind == "gone":
            self._views = max(0, self._views - 1)
        elif kind in ("details", "expand"):
            self._unfolded = self._unfolded or kind == "expand"
            if self._asked is None:
                run = self._seen.run
                exact = Target(self.target.namespace, run.workflow_id, run.run_id)
                self._asked = TimelineQuestions(
                    self._board, self.widget, exact, self._client.data_converter.payload_codec
                )
            self._asked.hear(message)
        elif kind == "do" and isinstance(message.get("id"), str):
            self._board.carry_out(self, str(message["id"]), self._do(message))

    def _do(self, message: Mapping[str, Any]) -> Any:
        seen = self._seen.run
        exact = Target(self.target.namespace, seen.workflow_id, seen.run_id)
        return carry_out(self._client, exact, message)

    def look_again(self) -> None:
        """Something was done to the run: look soon."""
        self._look_anyway = 0.0
        if self._closed_at:
            self._closed_at -= LAST_LOOK


def _successor(seen: Seen) -> str:
    """Run that follows a closed one in its chain; "" for none."""
    return str(getattr(seen.events[-1].attributes, "new_execution_run_id", "") or "") if seen.events else ""
