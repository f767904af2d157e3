"""Transition tables: which events a thing accepts in which state.

A table is data, so that it can be printed, tested arrow by arrow, and checked at run time by the functions that apply
events. An event that a state does not accept is an ``IllegalTransitionError``: the history is damaged or the engine is
wrong; it is never the user's fault.
"""

from __future__ import annotations

from collections.abc import Mapping

from durable_nb.model.attributes import Attributes


class IllegalTransitionError(Exception):
    """An event arrived in a state that does not accept it."""

    def __init__(self, machine: str, state: str, event: type[Attributes], event_id: int = 0) -> None:
        where = f" (event {event_id})" if event_id else ""
        super().__init__(f"{machine} in state {state!r} does not accept {event.__name__}{where}")


class Table:
    """``(state, event class) → next state`` of one machine."""

    def __init__(self, name: str, arrows: Mapping[tuple[str, type[Attributes]], str]) -> None:
        self.name = name
        self.arrows = dict(arrows)

    def next_state(self, state: str, event: type[Attributes], event_id: int = 0) -> str:
        """State after the event.

        Raises
        ------
        IllegalTransitionError
            The table has no such arrow.
        """
        after = self.arrows.get((state, event))
        if after is None:
            raise IllegalTransitionError(self.name, state, event, event_id)
        return after

    @property
    def states(self) -> list[str]:
        """All states, in order of first mention."""
        seen = dict.fromkeys(state for (before, _), after in self.arrows.items() for state in (before, after))
        return list(seen)

    @property
    def events(self) -> list[type[Attributes]]:
        return list(dict.fromkeys(event for _, event in self.arrows))

    def diagram(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        lines += [f"    {before} --> {after}: {event.__name__}" for (before, event), after in self.arrows.items()]
        return "\n".join(lines)
