"""Migration 3: what each process measures of its engine.

Frozen: a store that exists was made by exactly these statements. Later changes are later migrations.
"""

from __future__ import annotations

SQLITE: tuple[str, ...] = ("ALTER TABLE processes ADD COLUMN metrics TEXT",)
