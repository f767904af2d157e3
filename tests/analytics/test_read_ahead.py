"""Reading ahead: nothing is lost, errors arrive, and the thread is gone when the reading is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from durable_nb.analytics.read_ahead import read_ahead


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "durable_nb reader"]


def test_all_items_come_in_their_order() -> None:
    assert list(read_ahead(iter(range(100)), 3)) == list(range(100))
    assert list(read_ahead(iter(()), 3)) == []
    assert readers() == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(read_ahead(failing(), 3))
    with closing(read_ahead(failing(), 3)) as items:
        seen.append(next(items))
    assert seen[-1] == 1
    assert readers() == []


def test_who_leaves_early_leaves_no_reader_behind() -> None:
    read = []

    def endless() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    with closing(read_ahead(endless(), 2)) as items:
        assert next(items) == 0
    assert readers() == []
    # The one that was taken, those that waited, the one in hand, and the one after which it saw that nobody waits.
    assert len(read) <= 5
