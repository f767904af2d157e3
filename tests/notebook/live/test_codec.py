"""Runs whose payloads a codec covers: who looks at them by a client that has the codec sees them in the clear."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from durable_nb.api.common.v1 import Payload
from durable_nb.client._decoding import decoded
from durable_nb.converter import PayloadCodec
from durable_nb.model.payload import Payload as Stored
from durable_nb.model.requests import OutputDescription
from durable_nb.notebook.live.look import Looked, opened
from tests.notebook.live.test_kernel_live import Browser, browser
from tests.notebook.values import run as a_run

__all__ = ["browser"]


class Shouting(PayloadCodec):
    """Notes the threads that it works in."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise NotImplementedError

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        self.threads.append(threading.get_ident())
        return [Payload(payload.metadata, payload.data.lower()) for payload in payloads]


class Failing(Shouting):
    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise PermissionError("no key")


PLAIN = {"encoding": b"json/plain"}


def test_a_codec_works_in_the_thread_that_looks_or_beside_its_loop() -> None:
    codec = Shouting()
    assert decoded([Stored(PLAIN, b"A")], codec)[0].data == b"a"
    assert codec.threads == [threading.get_ident()]

    async def within() -> bytes:
        return decoded([Stored(PLAIN, b"B")], codec)[0].data

    assert asyncio.run(within()) == b"b"
    assert codec.threads[1] != threading.get_ident()
    value = [Stored(PLAIN, b"A")]
    assert decoded(value, None) is value


def test_where_a_codec_fails_a_run_is_shown_without_its_values() -> None:
    run = a_run(memo={"a": Stored(PLAIN, b"A")})
    outputs: list[OutputDescription] = []
    answer = Stored(PLAIN, b'{"A": 1}')
    looked = Looked(1, run, [], [], outputs, answer, answer)
    seen = opened(looked, None, Shouting())
    assert (seen.run.memo["a"].data, seen.trace, seen.metadata) == (b"a", {"a": 1}, {"a": 1})
    assert opened(looked, None, Failing())[:7] == (1, run, [], [], outputs, None, {})
    assert opened(looked).trace == {"A": 1}


ENCRYPTED = """\
import asyncio, dataclasses
from datetime import timedelta
from durable_nb.api.common.v1 import Payload
from durable_nb.client import Client
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.worker import Worker

class Reversing(PayloadCodec):
    async def encode(self, payloads):
        return [Payload({"encoding": b"reversed"}, (p.metadata["encoding"] + b"|" + p.data)[::-1]) for p in payloads]

    async def decode(self, payloads):
        parts = [p.data[::-1].split(b"|", 1) for p in payloads]
        return [Payload({"encoding": encoding}, data) for encoding, data in parts]

@activity.defn
async def count(n: int) -> int:
    activity.heartbeat(3, 10)
    await asyncio.Event().wait()

@workflow.defn
class Counts:
    @workflow.run
    async def run(self, n: int) -> int:
        return await workflow.execute_activity(count, n, start_to_close_timeout=timedelta(minutes=1))

    @workflow.signal
    def note(self, n: int) -> None:
        self.noted_ = n

    @workflow.query
    def noted(self) -> int:
        return self.noted_

secret = Client(client.engine, data_converter=dataclasses.replace(DataConverter.default, payload_codec=Reversing()))
worker = Worker(secret, task_queue="secret", workflows=[Counts], activities=[count])
running = asyncio.ensure_future(worker.run())
handle = await secret.start_workflow(Counts.run, 1, id="counts", task_queue="secret")
handle
"""


@pytest.mark.slow
def test_behind_a_codec_progress_and_the_current_step_are_shown_in_the_clear(browser: Browser) -> None:
    browser.run(ENCRYPTED)
    browser.until(lambda: browser.state["position"] and browser.state["pending"]["activities"])
    assert "execute_activity(count, n" in browser.state["position"][0]["source"]
    browser.until(lambda: (browser.state["pending"]["activities"][0].get("progress") or {}).get("total"))
    progress = browser.state["pending"]["activities"][0]["progress"]
    assert (progress["done"], progress["total"]) == ("3", "10")
    browser.run("await handle.signal('note', 7)")
    browser.click(browser.view, {"kind": "do", "id": "r1", "action": "query", "name": "noted", "args": []})
    browser.until(lambda: "r1" in browser.state.get("replies", {}))
    assert browser.state["replies"]["r1"] == {"ok": True, "text": "7"}
    browser.run("await handle.terminate()\nawait worker.shutdown()")
