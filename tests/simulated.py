"""Simulated stores for tests: made once, kept in ``build/`` until the code that makes them changes."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import durable_nb
from durable_nb.testing import simulate_store

ROOT = Path(__file__).parent.parent
PARTS = ("testing/_simulation", "core", "runtime", "model", "converter", "store")
"""What the bytes of a simulated store depend on."""

SMALL, BIG = 500, 10_000


def simulated(folder: Path, runs: int = SMALL) -> str:
    """URL of a copy in ``folder`` of the simulated store with so many runs, which the caller may change."""
    copy = folder / f"simulated-{runs}.db"
    if not copy.exists():
        shutil.copyfile(cached(runs), copy)
    return f"sqlite:///{copy}"


def cached(runs: int) -> Path:
    """The store itself; read only."""
    kept = ROOT / "build" / f"simulated-{runs}-{_digest()}.db"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        for outdated in kept.parent.glob(f"simulated-{runs}-*.db"):
            outdated.unlink(missing_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        simulate_store(fresh, runs=runs)
        # Another worker of the test run may have been faster; one file is as good as the other.
        fresh.replace(kept)
    return kept


def _digest() -> str:
    package = Path(durable_nb.__file__).parent
    found = hashlib.sha256()
    for part in PARTS:
        for path in sorted((package / part).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
