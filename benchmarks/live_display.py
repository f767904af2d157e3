"""What an open live display costs the engine: W1 and W2 in a real kernel, with and without displays.

``python -m benchmarks.live_display [--pairs N]``. One cell of a kernel runs both workloads in short blocks, by turns
with displays that are followed (a list of runs, which changes with every commit, the worst case; and a waiting run) and
with the same displays left alone. Two things are told, and the goal for both is less than 5 %:

- the processor time that the displays took, as a part of the kernel's: that of their own thread, and that of the
  engine's thread while it answered them. Other work on the machine does not move it.
- how much more processor time a workflow and a step took: the median over pairs of neighbouring blocks, and the bounds
  within which that median lies in 95 % of samples drawn anew from the pairs. A machine that is not quiet shows in them.

Blocks have to be neighbours within a second: the speed of a machine drifts by more than what is looked for, and a cell
for each block (a second with all that belongs to it) gave 7 % for W2 where there is 1 %.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kernel import Kernel

DEFINE = """
%load_ext durable_nb
"""
WORKLOADS = """%%workflow
import asyncio, json, time, uuid

@activity.defn
async def trivial(n: int) -> int:
    return n

@workflow.defn
class One:
    @workflow.run
    async def run(self, n: int) -> int:
        return await trivial(n)

@workflow.defn
class Ten:
    @workflow.run
    async def run(self, n: int) -> int:
        for _ in range(10):
            n = await trivial(n)
        return n

@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.approved = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.approved)

    @workflow.signal(description="Approve?")
    def approve(self, approved: bool) -> None:
        self.approved = approved
"""
MEASURE = """
import psutil, threading, types

session = get_ipython().durable_nb
spent_answering = 0.0

@types.coroutine
def timed(question):
    global spent_answering
    value = None
    while True:
        begun = time.thread_time()
        try:
            waited_for = question.send(value)
        except StopIteration as stop:
            return stop.value
        finally:
            spent_answering += time.thread_time() - begun
        value = yield waited_for

async def ask_timed(question):
    return await timed(question)

def run_timed(question, timeout=None, run=session.run):
    # Displays ask the engine through this, each from its board's thread.
    is_display = threading.current_thread().name == "durable-display"
    return run(ask_timed(question) if is_display else question, timeout)

session.run = run_timed

def spent_by_displays():
    ids = [thread.native_id for thread in threading.enumerate() if thread.name == "durable-display"]
    times = {thread.id: thread.user_time + thread.system_time for thread in psutil.Process().threads()}
    return sum(times.get(ident, 0.0) for ident in ids)

async def many(kind, count, at_once):
    free = asyncio.Semaphore(at_once)
    async def one(n):
        async with free:
            await client.execute_workflow(kind.run, n, id=uuid.uuid4().hex)
    spent, drawing, answering = time.process_time(), spent_by_displays(), spent_answering
    await asyncio.gather(*(one(n) for n in range(count)))
    return {
        "all": time.process_time() - spent,
        "drawing": spent_by_displays() - drawing,
        "answering": spent_answering - answering,
    }
"""
SHOW = """
from IPython.display import display
shown = await client.start_workflow(Waits.run, id=uuid.uuid4().hex)
display(shown)
display(get_ipython().run_line_magic("workflow", "list"))
board = session._live
displays = list(board._followed)

def follow(these):
    with board._wake:
        board._followed.clear()
    for each in these:
        board.follow(each)

async def pairs(count):
    found = []
    for number in range(count):
        blocks = {}
        # Each order in turn: a store that grows, or a machine that warms up, favours neither.
        for kind in ("without", "with") if number % 2 else ("with", "without"):
            follow(displays if kind == "with" else [])
            blocks[kind] = [await many(One, W1, 64), await many(Ten, W2, 16)]
        found.append([blocks["without"], blocks["with"]])
    return found
"""
Block = list[dict[str, float]]
"""Processor seconds of W1 and of W2 in one block: of all, of the displays' thread, of the engine's answers to them."""


def measure(pairs: int, w1: int, w2: int) -> list[tuple[Block, Block]]:
    """Pairs of neighbouring blocks, without and with displays."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder))
        try:
            for code in (DEFINE, WORKLOADS, MEASURE, f"W1, W2 = {w1}, {w2}", SHOW, "_ = await pairs(1)"):
                kernel.run(code)
            return [
                (without, with_)
                for without, with_ in json.loads(kernel.run(f"print(json.dumps(await pairs({pairs})))"))
            ]
        finally:
            kernel.stop()


def bounds(ratios: Sequence[float], samples: int = 2000) -> tuple[float, float]:
    """Within which the median of 95 % of samples lies that are drawn from the ratios, with repetition."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(samples))
    return medians[samples // 40], medians[-samples // 40]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--workflows", type=int, default=800, help="of W1 in a block; W2 has a third")
    options = parser.parse_args()
    w1, w2 = options.workflows, max(16, options.workflows // 3)
    pairs = measure(options.pairs, w1, w2)
    for number, (name, units) in enumerate((("W1", w1), ("W2", w2 * 10))):
        without = [block[number]["all"] for block, _ in pairs]
        with_ = [block[number] for _, block in pairs]
        total = sum(block["all"] for block in with_)
        drawing, answering = (sum(block[part] for block in with_) / total for part in ("drawing", "answering"))
        ratios = [block["all"] / other for block, other in zip(with_, without, strict=True)]
        low, high = bounds(ratios)
        print(
            f"{name}  displays took {drawing + answering:.1%} of the processor time "
            f"({drawing:.1%} in their own thread, {answering:.1%} in the engine's)\n"
            f"    {statistics.median(without) / units * 1e6:.0f} µs a unit without; with displays "
            f"{statistics.median(ratios) - 1:+.1%} ({low - 1:+.1%} to {high - 1:+.1%}, {len(pairs)} pairs)"
        )


if __name__ == "__main__":
    main()
