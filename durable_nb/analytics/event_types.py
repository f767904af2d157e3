"""Sets of event types: those of these numbers, or all but these. The numbers are those of Temporal's ``EventType``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventTypes:
    """A set of event types, of which it may hold all but a few: also those that only a newer version knows.

    Parameters
    ----------
    numbers
        Those in it; those not in it where ``inverted``.
    """

    numbers: frozenset[int] = frozenset()
    inverted: bool = False

    @classmethod
    def of(cls, numbers: Iterable[int]) -> EventTypes:
        """The set of these."""
        return cls(frozenset(int(number) for number in numbers))

    def __contains__(self, number: int) -> bool:
        return (number in self.numbers) is not self.inverted

    def __bool__(self) -> bool:
        return self.inverted or bool(self.numbers)

    def __or__(self, other: EventTypes) -> EventTypes:
        if self.inverted and other.inverted:
            return EventTypes(self.numbers & other.numbers, True)
        if self.inverted:
            return EventTypes(self.numbers - other.numbers, True)
        return other | self if other.inverted else EventTypes(self.numbers | other.numbers)

    def __sub__(self, other: EventTypes) -> EventTypes:
        if not other.inverted:
            kept = self.numbers | other.numbers if self.inverted else self.numbers - other.numbers
            return EventTypes(kept, self.inverted)
        return EventTypes(other.numbers - self.numbers if self.inverted else self.numbers & other.numbers)

    def condition(self, column: str) -> str:
        """In SQL: whether a column that is never NULL holds one of them; "" where all are."""
        if self.inverted and not self.numbers:
            return ""
        listed = ", ".join(str(number) for number in sorted(self.numbers))
        return f"{column} {'NOT IN' if self.inverted else 'IN'} ({listed})"


ALL_TYPES = EventTypes(inverted=True)
NO_TYPES = EventTypes()
