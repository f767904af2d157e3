"""The trace against the rules of the Trace Event Format, and what Perfetto and chrome://tracing demand beyond it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import msgspec
import pytest

from durable_nb.analytics.exports import chrome_trace
from durable_nb.analytics.exports.records import RunRecord

PHASES = {
    "X": {"name", "cat", "ts", "dur", "args"},
    "M": {"name", "args"},
    "i": {"name", "cat", "ts", "s", "args"},
    "s": {"name", "cat", "ts", "id"},
    "f": {"name", "cat", "ts", "id", "bp"},
}


def load(records: list[RunRecord], **options: Any) -> list[dict[str, Any]]:
    document = json.loads("".join(chrome_trace(records, **options)))
    assert document["displayTimeUnit"] in ("ms", "ns")
    events: list[dict[str, Any]] = document["traceEvents"]
    return events


def require_valid(events: list[dict[str, Any]]) -> None:
    names: dict[tuple[int, int], str] = {}
    for event in events:
        assert (
            PHASES[event["ph"]] | {"ph", "pid", "tid"}
            <= event.keys()
            <= PHASES[event["ph"]]
            | {
                "ph",
                "pid",
                "tid",
                "cname",
            }
        )
        assert all(type(event[key]) is int for key in ("pid", "tid", "ts", "dur", "id") if key in event)
        assert event.get("dur", 0) >= 0
        if event["ph"] == "M" and event["name"] == "thread_name":
            key = event["pid"], event["tid"]
            assert key not in names
            names[key] = event["args"]["name"]
        elif event["ph"] != "M":
            assert (event["pid"], event["tid"]) in names


def require_nested(events: list[dict[str, Any]]) -> None:
    """Slices of a thread are disjoint or inside each other, in the order in which a viewer reads them."""
    lanes = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            lanes[event["pid"], event["tid"]].append(event)
    for lane in lanes.values():
        open_until: list[int] = []
        for event in sorted(lane, key=lambda e: (e["ts"], -e["dur"])):
            end = event["ts"] + event["dur"]
            while open_until and open_until[-1] <= event["ts"] and end > open_until[-1]:
                open_until.pop()
            assert not open_until or end <= open_until[-1], event
            open_until.append(end)


@pytest.mark.parametrize("group_by", ["run", "worker"])
def test_the_trace_is_valid_and_its_slices_nest(gallery: list[RunRecord], group_by: str) -> None:
    events = load(gallery, group_by=group_by)
    require_valid(events)
    require_nested(events)


def test_every_attempt_is_a_slice_inside_its_activity(gallery: list[RunRecord]) -> None:
    events = load(gallery)
    attempts = [event for event in events if event.get("cat") == "attempt"]
    assert len(attempts) == sum(len(record.attempts) for record in gallery)
    assert len(load(gallery, group_by="worker")) >= len(attempts)


def test_arrows_lead_from_parents_to_children_and_along_chains(gallery: list[RunRecord]) -> None:
    events = load(gallery)
    ends = defaultdict(set)
    for event in events:
        if event["ph"] in "sf":
            ends[event["name"], event["id"]].add(event["ph"])
    joined = [name for (name, _), phases in ends.items() if phases == {"s", "f"}]
    children = sum(1 for record in gallery if record.run.parent_run_id)
    continued = sum(1 for record in gallery if record.started.continued_execution_run_id)
    assert joined.count("child") == children > 5
    assert joined.count("continued") == continued > 5
    assert set(map(frozenset, ends.values())) <= {frozenset("sf"), frozenset("s")}


def test_signals_and_timers_are_shown(by_workflow: dict[str, list[RunRecord]]) -> None:
    events = load(by_workflow["mailbox"])
    assert "signal: finish" in {event["name"] for event in events if event["ph"] == "i"}
    assert "timer" in {event.get("cat") for event in events}


def test_payloads_can_be_left_out(by_workflow: dict[str, list[RunRecord]]) -> None:
    assert "finish" in "".join(chrome_trace(by_workflow["mailbox"]))
    assert '"input"' in "".join(chrome_trace(by_workflow["mailbox"]))
    assert '"input"' not in "".join(chrome_trace(by_workflow["mailbox"], payloads=False))


def test_nothing_gives_an_empty_trace_and_an_unknown_grouping_is_refused() -> None:
    assert load([]) == []
    with pytest.raises(ValueError, match="group_by"):
        list(chrome_trace([], group_by="queue"))


def test_wild_names_stay_in_their_strings(by_workflow: dict[str, list[RunRecord]]) -> None:
    record = by_workflow["outcomes"][0]
    wild = '\ud800</script>"\x1b[31m\u202e'
    run = msgspec.structs.replace(record.run, workflow_id=wild, workflow_type=wild)
    events = load([msgspec.structs.replace(record, run=run)])
    name = next(event["args"]["name"] for event in events if event["name"] == "process_name")
    assert "\x1b" not in name
    assert "\ud800" not in name
    assert "\u202e" not in name
