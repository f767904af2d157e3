"""A program that dies within a run, and one that goes on with it: ``python -m tests.resuming begin|resume URL``."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.worker import Worker


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@workflow.defn
class Greeting:
    def __init__(self) -> None:
        self.name = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.name)
        return await workflow.execute_activity(greet, self.name, start_to_close_timeout=timedelta(minutes=1))

    @workflow.signal
    def call(self, name: str) -> None:
        self.name = name

    @workflow.query
    def called(self) -> str:
        return self.name


async def main(verb: str, url: str) -> None:
    client = await Client.connect(url)
    async with Worker(client, task_queue="greetings", workflows=[Greeting], activities=[greet]):
        if verb == "begin":
            handle = await client.start_workflow(Greeting.run, id="greeting", task_queue="greetings")
            await handle.query(Greeting.called)
            os._exit(0)  # as a kill: nothing is closed
        handle = client.get_workflow_handle_for(Greeting.run, "greeting")
        await handle.signal(Greeting.call, "you")
        assert await handle.result() == "hello you"
        print(*sys.modules)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
