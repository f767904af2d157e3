"""Settings for all tests."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A limit on the time of one example, or on the time to draw it, measures the machine.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What CI says about a change must not hang on chance; new examples are searched for on people's machines.
settings.register_profile("ci", settings.get_profile("ours"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "ours")

SEARCHING = 400
"""Seconds that a property test without a limit of its own may take, which makes a failure smaller before it tells."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # What an older Python cannot even read is no part of its tests; .ci/run asks a newer one too.
    unreadable = [each for each in items if _since(each) > sys.version_info]
    if unreadable:
        config.hook.pytest_deselected(items=unreadable)
        items[:] = [each for each in items if _since(each) <= sys.version_info]
    for item in items:
        searches = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if searches and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SEARCHING))


def _since(item: pytest.Item) -> tuple[int, ...]:
    marker = item.get_closest_marker("since_python")
    return marker.args if marker is not None else (3,)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Any:
    """Half a character in what one test printed or logged would end the run: it cannot be sent between processes."""
    return _sendable((yield))


def _sendable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {key: _sendable(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(_sendable(each) for each in value)
    return value
