"""Records of real runs: every scene of the gallery is played once on a store in memory."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.analytics.exports.reading import read_runs
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.model.records import RunFilter
from tests.replay import scenes


async def play(scene: scenes.Scene) -> list[RunRecord]:
    """What the store holds of all runs of a scene, oldest first."""
    async with scenes.staged() as stage:
        await scene(stage)
        await stage.client.engine.engine.settle()  # children may still hear of their parent's end
        return list(read_runs(stage.client.engine.store, RunFilter("default", limit=0)))[::-1]


@pytest.fixture(scope="session")
def gallery() -> list[RunRecord]:
    """Records of every kind of run."""
    return [record for scene in scenes.ALL for record in asyncio.run(play(scene))]


@pytest.fixture(scope="session")
def by_workflow(gallery: list[RunRecord]) -> dict[str, list[RunRecord]]:
    """The runs of the gallery by workflow ID, oldest first."""
    found: dict[str, list[RunRecord]] = {}
    for record in gallery:
        found.setdefault(record.run.workflow_id, []).append(record)
    return found
