"""What a misspelt name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like ``word``; None where none is like it.

    Parameters
    ----------
    cutoff
        From 0 (anything is like anything) to 1 (only the same).
    """
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only mistakes need it

    return next(iter(get_close_matches(word, list(known), 1, cutoff)), None)
