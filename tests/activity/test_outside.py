"""The functions of ``durable_nb.activity`` where no activity runs, and the names it offers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import temporalio.activity

from durable_nb import activity


@pytest.mark.parametrize(
    "call",
    [
        activity.info,
        activity.heartbeat,
        activity.is_cancelled,
        activity.is_worker_shutdown,
        activity.cancellation_details,
        activity.wait_for_cancelled_sync,
        activity.wait_for_worker_shutdown_sync,
        activity.payload_converter,
        activity.metric_meter,
        activity.client,
        lambda: activity.shield_thread_cancel_exception().__enter__(),
        lambda: asyncio.run(activity.wait_for_cancelled()),
        lambda: asyncio.run(activity.wait_for_worker_shutdown()),
    ],
)
def test_functions_of_a_running_activity_refuse_to_work_outside_of_one(call: Any) -> None:
    with pytest.raises(RuntimeError, match="Not in activity context"):
        call()


def test_outside_of_an_activity_the_logger_adds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not activity.in_activity()
    with caplog.at_level(logging.INFO, "durable_nb.activity"):
        activity.logger.info("hello")
    assert caplog.messages == ["hello"]
    assert not hasattr(caplog.records[0], "temporal_activity")
    assert activity.logger.base_logger.name == "durable_nb.activity"


def test_every_public_name_of_the_sdk_is_here() -> None:
    theirs = {
        name
        for name, value in vars(temporalio.activity).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == "temporalio.activity"
    }
    assert theirs - set(dir(activity)) == set()
    assert set(activity.__all__) <= set(dir(activity))


def test_info_has_the_fields_of_the_sdk_in_their_order() -> None:
    fields = list(temporalio.activity.Info.__dataclass_fields__)
    assert list(activity.Info.__dataclass_fields__) == fields
