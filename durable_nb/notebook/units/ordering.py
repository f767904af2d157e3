"""The order in which the statements of a unit can run: what one needs at once comes before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from durable_nb.notebook.units.references import References


class Fragment(NamedTuple):
    """One statement of a unit and the name that it binds."""

    name: str
    text: str
    references: References


def in_order(fragments: Mapping[str, Fragment]) -> list[Fragment]:
    """The fragments, each after those that it needs, as far as that is possible.

    What is needed later only comes before as well, because a function may be called while the unit runs (a decorator,
    the factory of a constant); where functions refer to each other in a ring, that wish is given up.
    """
    before = {
        name: [each for each in (*f.references.at_once, *f.references.later) if each in fragments and each != name]
        for name, f in fragments.items()
    }
    while True:
        # The first fragment is the definition; read backwards, its needs come in the order of its text.
        sorter = TopologicalSorter({name: before[name] for name in reversed([*fragments])})
        try:
            return [fragments[name] for name in sorter.static_order()]
        except CycleError as error:
            _break(error.args[1], before, fragments)


def _break(ring: list[str], before: dict[str, list[str]], fragments: Mapping[str, Fragment]) -> None:
    """Give up one wish in a ring; one that is needed at once only where nothing else is left."""
    pairs = [(second, first) for first, second in pairwise(ring)]  # ``first`` comes before
    soft = [pair for pair in pairs if pair[1] not in fragments[pair[0]].references.at_once]
    name, need = (soft or pairs)[0]
    before[name].remove(need)
