"""Numbers of things in sentences."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """``1 run``, ``3 runs``; nouns that end in ``y`` become ``…ies``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def verb(count: int, plural_form: str) -> str:
    """``go`` or ``goes``, ``stay`` or ``stays``, for so many things."""
    if count != 1:
        return plural_form
    return plural_form + ("es" if plural_form.endswith("o") else "s")
