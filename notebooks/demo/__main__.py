"""``python -m notebooks.demo [FOLDER]``: kill a kernel with orders in flight, go on in a new one, tell the tale."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from notebooks.demo.facts import (
    STORE,
    Call,
    Histories,
    count_effects,
    effects_so_far,
    read_calls,
    read_histories,
)
from notebooks.demo.kernel import Kernel, KernelDiedError
from notebooks.demo.picture import most_eventful, timeline

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOK = "00_first_success.ipynb"
KILL_AFTER_MAILS = 200
FAILED = ("unavailable", "answer lost")
"""Outcomes of calls after which an activity is tried again."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Something the demonstration claims, and whether it was seen to hold."""

    text: str
    kept: bool


def take(folder: Path) -> Any:
    """Keep the folder to this process until it ends; the open lock file is the proof."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(
            f"Another demonstration is running in {folder}. Wait for it, or name another folder: "
            "python -m notebooks.demo FOLDER"
        ) from None
    return lock


def prepare(folder: Path) -> list[str]:
    """Empty the working folder, put the notebook and its data there; returns the order IDs of the data."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
    shutil.copy2(ROOT / "notebooks" / NOTEBOOK, folder)
    shutil.copytree(ROOT / "notebooks" / "data", folder / "data")
    lines = (folder / "data" / "orders.csv").read_text(encoding="utf-8").splitlines()[1:]
    return sorted({line.split(",", 1)[0] for line in lines})


async def run_in_new_kernel(folder: Path, kill: bool) -> int:
    """Run the notebook from the top in a kernel of its own; returns the kernel's process number.

    With ``kill`` the kernel gets SIGKILL as soon as enough orders have had their mail of confirmation.
    """
    notebook = nbformat.read(folder / NOTEBOOK, as_version=4)
    environment = {"DURABLE_NB_STORE": f"sqlite:///{folder / STORE}"}
    async with Kernel(folder, environment) as kernel:
        pid = kernel.pid
        running = asyncio.create_task(kernel.run_notebook(notebook))
        while kill and not running.done() and effects_so_far(folder, "mail") < KILL_AFTER_MAILS:
            await asyncio.sleep(0.02)
        if kill and not running.done():
            kernel.kill()
        try:
            await running
        except KernelDiedError:
            if not kill:
                raise
        nbformat.write(notebook, folder / f"after-kernel-{pid}.ipynb")
    return pid


def judge(
    calls: list[Call], kernels: tuple[int, int], before: Histories, after: Histories, total: int
) -> list[Promise]:
    """The promises, checked against the ledger of the services and the histories."""
    first, second = kernels
    called_first = {call.key for call in calls if call.kernel == first}
    called_again = {call.key for call in calls if call.kernel == second}
    in_flight = called_first - before.completed
    unchanged = all(after.lengths.get(order_id) == length for order_id, length in before.lengths.items())
    return [
        Promise("the kernel died while orders were in flight", bool(before.finished and before.open and called_first)),
        Promise("every order is finished", len(after.finished) == total),
        Promise("no activity that had completed was called again", not called_again & before.completed),
        Promise(
            "of the activities of the first kernel, only those in flight ran again",
            called_first & called_again <= in_flight,
        ),
        Promise("orders that were finished were left alone", unchanged),
    ]


async def story(folder: Path) -> int:
    """The demonstration; 1 when a promise is broken."""
    begun = time.monotonic()
    lock = take(folder)
    orders = prepare(folder)
    print(f"{len(orders)} orders. Running {NOTEBOOK} in a Jupyter kernel ...", flush=True)
    first = await run_in_new_kernel(folder, kill=True)
    print(f"Killed that kernel (process {first}) with SIGKILL. Running the notebook in a new one ...", flush=True)
    before = await read_histories(folder, folder / "at-kill", orders)
    resumed = time.monotonic()
    second = await run_in_new_kernel(folder, kill=False)
    resumed = time.monotonic() - resumed
    after = await read_histories(folder, folder / "at-end", orders)

    calls = read_calls(folder)
    charges = count_effects(folder, "payments")
    promises = judge(calls, (first, second), before, after, len(orders))
    promises.append(Promise("nobody was charged twice", all(times == 1 for times in charges.values())))
    tell(calls, (first, second), before, after, charges)
    print(f"\n  {'time in the new kernel, start-up included':<66}{resumed:>8.1f} s")
    print(f"  {'time in all':<66}{time.monotonic() - begun:>8.1f} s\n")
    for promise in promises:
        print(f"  {'kept  ' if promise.kept else 'BROKEN'}  {promise.text}")
    print(f"\nThe notebooks as both kernels left them, and the store, are in {folder}.")
    lock.close()
    return 0 if all(promise.kept for promise in promises) else 1


def tell(
    calls: list[Call], kernels: tuple[int, int], before: Histories, after: Histories, charges: dict[str, int]
) -> None:
    """Print the figures and the timeline of one order."""
    first, second = kernels
    last_of_first = {call.key: call for call in calls if call.kernel == first and call.key not in before.completed}
    failed = {key for key, call in last_of_first.items() if call.outcome in FAILED}
    again = {call.key for call in calls if call.kernel == second} & last_of_first.keys()
    refused = sum(call.outcome == "duplicate refused" and call.service == "payments" for call in calls)
    figures = [
        ("orders finished before the kill", len(before.finished)),
        ("orders in the middle when the kernel died", len(before.open)),
        ("orders finished at the end", len(after.finished)),
        ("activities completed before the kill", len(before.completed)),
        ("activities cut off by the kill before their result was recorded", len(last_of_first) - len(failed)),
        ("activities waiting for their next attempt at the kill", len(failed)),
        ("activities that ran again, all of them of these two kinds", len(again)),
        ("charges made", sum(charges.values())),
        ("charges made twice", sum(times > 1 for times in charges.values())),
        ("repeated charges refused by their idempotency key", refused),
        ("calls of services, failed attempts included", len(calls)),
    ]
    print()
    for text, value in figures:
        print(f"  {text:<66}{value:>8,}")
    eventful = most_eventful(calls)
    print(f"\n  {eventful}, every attempt a bar:\n")
    print("\n".join(f"  {line}".rstrip() for line in timeline(calls, eventful).splitlines()))


if __name__ == "__main__":
    sys.exit(asyncio.run(story(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".demo")))
