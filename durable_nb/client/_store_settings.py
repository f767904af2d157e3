"""What a store is told once, for all programs that open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_nb.engine import EngineHandle


class StoreSettings:
    """A client's verbs for the settings of its store."""

    if TYPE_CHECKING:

        @property
        def engine(self) -> EngineHandle: ...

    def suggest_continue_as_new_at(self, events: int | None) -> None:
        """From which length of a history ``workflow.info().is_continue_as_new_suggested()`` says yes.

        Kept in the store. This process goes by it at once, others when they open the store next. There the environment
        variable ``DURABLE_NB_SUGGEST_CONTINUE_AS_NEW`` and ``%config DurableNB.suggest_continue_as_new`` win over it.

        Parameters
        ----------
        events
            Number of events; None for the default of 10,240.

        Raises
        ------
        ValueError
            Not a number of events.
        StoreError
            DNB5xx: the store cannot be written.
        """
        if events is not None and (isinstance(events, bool) or not isinstance(events, int) or events < 1):
            raise ValueError(f"{events!r} is no number of events: write 1 or more, or None for the default")
        self.engine.keep_suggestion(events)
