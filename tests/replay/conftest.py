"""All scenes are played once for the tests of this directory."""

from __future__ import annotations

import asyncio

import pytest

from tests.replay import scenes
from tests.replay.judge import Case


@pytest.fixture(scope="session")
def histories() -> list[Case]:
    """Of all runs of all scenes, by instances that live on from task to task."""
    return [case for scene in scenes.ALL for case in asyncio.run(scenes.play(scene))]


@pytest.fixture(scope="session")
def replayed_histories() -> list[Case]:
    """The same where no instance is kept: every workflow task was reached by replay."""
    return [case for scene in scenes.ALL for case in asyncio.run(scenes.play(scene, cached=0))]
