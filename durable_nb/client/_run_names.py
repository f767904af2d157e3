"""Which runs callers mean who name several: a frame, handles, workflow IDs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_nb.model.requests import RunDescription


def named_runs(runs: Any) -> list[dict[str, Any]]:
    """Rows as dicts with ``workflow_id`` and ``run_id`` ("" for the current one), each run once, in order.

    Raises
    ------
    ValueError
        A frame without a column ``workflow_id``.
    TypeError
        Something that names no run.
    """
    if hasattr(runs, "columns") and hasattr(runs, "to_dict"):
        if "workflow_id" not in runs.columns:
            known = ", ".join(map(str, runs.columns))
            raise ValueError(f"the frame has no column workflow_id, which says which runs are meant; it has {known}")
        found = runs.to_dict("records")
    else:
        found = [_name(each) for each in ([runs] if isinstance(runs, str) else runs)]
    unique: dict[tuple[str, str], dict[str, Any]] = {}
    for row in found:
        run_id = row.get("run_id")
        row["run_id"] = run_id if isinstance(run_id, str) else ""
        unique.setdefault((str(row["workflow_id"]), row["run_id"]), row)
    return list(unique.values())


def _name(each: Any) -> dict[str, Any]:
    if isinstance(each, str):
        return {"workflow_id": each}
    if isinstance(each, tuple) and len(each) == 2:
        return {"workflow_id": each[0], "run_id": each[1]}
    if isinstance(each, Mapping) and "workflow_id" in each:
        return dict(each)
    if isinstance(each, RunDescription):
        return {"workflow_id": each.workflow_id, "run_id": each.run_id}
    ident = getattr(each, "id", None)
    if isinstance(ident, str):
        return {"workflow_id": ident, "run_id": each.run_id or getattr(each, "result_run_id", None) or ""}
    raise TypeError(f"{type(each).__name__} names no run: give a frame with workflow_id, handles, or workflow IDs")
