"""The lint of workflow code: each rule, its line, its remedy, and what it must not say."""

from __future__ import annotations

import ast
import asyncio
import datetime as dt
import os
import random
import time
from types import ModuleType, SimpleNamespace

import pytest

from durable_nb.notebook import lint_rules
from durable_nb.notebook.lint import Finding, lint_definition, lint_source, parse_source
from durable_nb.notebook.names import FunctionNode
from durable_nb.runtime import guards

HEAD = """\
import asyncio, os, random, time, uuid, requests, threading, subprocess, socket, secrets
import time as clock, numpy as np, pandas as pd
from datetime import date, datetime, timedelta
from pathlib import Path
from random import randint as roll
from durable_nb import activity, workflow
from durable_nb.workflow import defn
COUNTS = {}
"""


def findings(body: str, namespace: dict[str, object] | None = None, head: str = HEAD) -> list[Finding]:
    """Lint ``body`` as the body of a workflow's run method; it begins at line 12 of the cell."""
    indented = "\n".join("        " + line for line in body.splitlines())
    text = f"{head}@workflow.defn\nclass Order:\n    @workflow.run\n    async def run(self, order):\n{indented}\n"
    return lint_source(text, namespace)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("x = time.time()", "DNB120"),
        ("x = clock.monotonic()", "DNB120"),
        ("x = datetime.now()", "DNB120"),
        ("x = datetime.utcnow()", "DNB120"),
        ("x = date.today()", "DNB120"),
        ("x = time.strftime('%H')", "DNB120"),
        ("x = pd.Timestamp.now()", "DNB120"),
        ("import time as t\nx = t.time()", "DNB120"),
        ("from time import time as t\nx = t()", "DNB120"),
        ("x = random.random()", "DNB121"),
        ("x = roll(1, 6)", "DNB121"),
        ("x = random.Random()", "DNB121"),
        ("x = np.random.normal()", "DNB121"),
        ("x = secrets.token_hex()", "DNB121"),
        ("x = os.urandom(8)", "DNB121"),
        ("x = uuid.uuid4()", "DNB122"),
        ("x = uuid.uuid1()", "DNB122"),
        ("open('x')", "DNB123"),
        ("requests.get('http://x')", "DNB123"),
        ("requests.sessions.Session()", "DNB123"),
        ("subprocess.run(['ls'])", "DNB123"),
        ("socket.create_connection(('h', 1))", "DNB123"),
        ("pd.read_csv('x')", "DNB123"),
        ("Path('x').read_text()", "DNB123"),
        ("os.listdir('.')", "DNB123"),
        ("os.path.exists('x')", "DNB123"),
        ("threading.Thread(target=print).start()", "DNB124"),
        ("time.sleep(1)", "DNB125"),
        ("await asyncio.to_thread(print)", "DNB126"),
        ("await asyncio.create_subprocess_exec('ls')", "DNB126"),
        ("await asyncio.get_running_loop().run_in_executor(None, print)", "DNB126"),
        ("loop = asyncio.get_event_loop()\nloop.run_in_executor(None, print)", "DNB126"),
        ("await asyncio.wait([])", "DNB127"),
        ("for f in asyncio.as_completed([]): pass", "DNB127"),
        ("global COUNTS", "DNB128"),
        ("try:\n    x = 1\nexcept Exception:\n    pass", "DNB129"),
        ("try:\n    x = 1\nexcept (ValueError, Exception):\n    ...", "DNB129"),
        ("try:\n    x = 1\nexcept:\n    x = 2", "DNB129"),
        ("try:\n    x = 1\nexcept BaseException as e:\n    x = e", "DNB129"),
        ("try:\n    x = 1\nexcept asyncio.CancelledError:\n    pass", "DNB129"),
        ("for x in {1, 2}: pass", "DNB130"),
        ("seen = set()\nfor x in seen: pass", "DNB130"),
        ("seen = set(order) | {1}\nx = list(seen)", "DNB130"),
        ("x = [i for i in {1, 2}]", "DNB130"),
        ("x = os.environ['HOME']", "DNB131"),
        ("x = os.getenv('HOME')", "DNB131"),
        ("x = hash(order)", "DNB132"),
        ("x = os.getpid()", "DNB132"),
        ("workflow.sleep(3)", "DNB134"),
        ("workflow.execute_activity('x', start_to_close_timeout=None)", "DNB134"),
        ("x = input()", "DNB135"),
        ("breakpoint()", "DNB135"),
        ("def inner():\n    return time.time()\ninner()", "DNB120"),
        ("x = sorted(order, key=lambda o: random.random())", "DNB121"),
    ],
)
def test_each_rule_finds_what_breaks_replay(body: str, code: str) -> None:
    found = findings(body)
    assert {f.code for f in found} == {code}
    assert all(f.remedy and f.definition == "Order" for f in found)
    assert all(12 < f.line <= 12 + len(body.splitlines()) for f in found)


@pytest.mark.parametrize(
    "body",
    [
        "x = workflow.now(); y = workflow.time(); z = workflow.random().random(); u = workflow.uuid4()",
        "await workflow.sleep(3)",
        "await asyncio.sleep(3)\nawait asyncio.gather(*[asyncio.sleep(1)])\nasync with asyncio.timeout(3): pass",
        "handle = workflow.start_activity('x')",
        "task = asyncio.create_task(workflow.sleep(1))",
        "rng = random.Random(7)\nx = rng.random()",
        "time = workflow.time()\nx = time.time()",
        "def time(): ...\ntime.time()",
        "x = [time.time() for time in order]",
        "random = workflow.random()\nx = random.random()",
        "x = datetime(2026, 1, 1) + timedelta(days=1)\ny = datetime.fromtimestamp(3)",
        "x = time.strftime('%H', order)",
        "x = uuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
        "x = os.path.join('a', 'b')\ny = Path('a') / 'b'\nz = y.name",
        "for x in sorted({1, 2}): pass\ny = sum({1, 2})\nz = 3 in {1, 2}\nw = len(set(order))\nv = {i for i in {1}}",
        "seen = set()\nseen = sorted(seen)\nfor x in seen: pass",
        "try:\n    x = 1\nexcept Exception:\n    raise",
        "try:\n    x = 1\nexcept Exception as e:\n    workflow.logger.info(e)",
        "try:\n    x = 1\nexcept ValueError:\n    pass",
        "try:\n    x = 1\nexcept asyncio.CancelledError:\n    await workflow.sleep(1)\n    raise",
        "try:\n    x = 1\nexcept BaseException:\n    raise",
        "with workflow.unsafe.sandbox_unrestricted():\n    x = time.time()",
        "self.open('x'); self.time.time(); order.read_text(); order.wait()",
        "counts = {}\ncounts['x'] = 1\ncounts.update(order)",
        "print('hello')",
        "np.random.default_rng(3)",
    ],
)
def test_deterministic_code_is_not_reported(body: str) -> None:
    assert findings(body) == []


def test_activities_and_other_code_of_the_cell_are_not_looked_at() -> None:
    text = HEAD + "@activity.defn\nasync def pay():\n    return time.time()\n\nclass Plain:\n    x = time.time()\n"
    assert lint_source(text) == []


def test_function_workflows_and_imported_decorators_are_looked_at() -> None:
    text = HEAD + "@defn(name='x')\nasync def flow():\n    return time.time()\n"
    assert [f.line for f in lint_source(text)] == [11]


def test_the_modules_that_the_extension_offers_need_no_import() -> None:
    text = "import time\n@workflow.defn\nasync def flow():\n    time.time()\n    workflow.sleep(1)\n"
    assert [f.code for f in lint_source(text)] == ["DNB120", "DNB134"]


def test_helpers_of_the_cell_are_followed_and_activities_are_not() -> None:
    text = (
        HEAD
        + "def a():\n    return b()\n\ndef b():\n    a()\n    return time.time()\n\n"
        + "@activity.defn\nasync def act():\n    return time.time()\n\ndef unused():\n    return time.time()\n\n"
        + "@workflow.defn\nclass Order:\n    @workflow.run\n"
        + "    async def run(self):\n        a()\n        await act()\n"
    )
    found = lint_source(text)
    assert [(f.code, f.line) for f in found] == [("DNB120", 14)]


def test_an_activity_that_is_called_and_not_awaited_is_found() -> None:
    text = (
        HEAD + "@activity.defn\nasync def act(): ...\n\n@workflow.defn\nasync def flow():\n    act()\n    x = act()\n"
    )
    assert [(f.code, f.line) for f in lint_source(text)] == [("DNB134", 14)]


@pytest.mark.parametrize(
    ("comment", "silent"),
    [
        ("# noqa: DNB120", True),
        ("# noqa: DNB121, DNB120", True),
        ("# noqa", True),
        ("# noqa: DNB121", False),
        ("# no", False),
    ],
)
def test_noqa_accepts_a_finding_on_its_line(comment: str, silent: bool) -> None:
    assert (findings(f"x = time.time()  {comment}") == []) is silent


def test_a_finding_reads_as_where_what_and_how_to_fix() -> None:
    text = str(findings("x = time.time()")[0])
    assert text.splitlines() == [
        "DNB120 line 13, Order: time.time() reads the wall clock, which differs on replay",
        "         x = time.time()",
        "         fix: use workflow.time()",
    ]


NAMESPACE: dict[str, object] = {
    "t": time,
    "now": dt.datetime.now,
    "dt": dt.datetime,
    "roll": random.randint,
    "sleep": time.sleep,
    "waits": asyncio.wait,
    "env": os.environ,
    "listdir": os.listdir,
    "CACHE": {},
    "SEEN": {1},
    "rng": random.Random(3),
    "nothing": None,
    "tools": ModuleType("tools"),
    "thing": SimpleNamespace(time=time.time),
}
NAMESPACE["tools"].tick = time.time  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("t.time()", ["DNB120"]),
        ("dt.now()", ["DNB120"]),
        ("roll(1, 2)", ["DNB121"]),
        ("sleep(1)", ["DNB125"]),
        ("await waits([])", ["DNB127"]),
        ("listdir()", ["DNB123"]),
        ("tools.tick()", ["DNB120"]),
        ("rng.random()", ["DNB121"]),
        ("CACHE['x'] = 1", ["DNB128"]),
        ("CACHE.update(order)", ["DNB128"]),
        ("for x in SEEN: pass", ["DNB130"]),
        ("x = CACHE['x']", []),
        ("x = nothing.time()", []),
        ("x = thing.time()", []),
        ("x = unknown.time()", []),
    ],
)
def test_names_are_resolved_through_the_notebooks_namespace(body: str, codes: list[str]) -> None:
    head = "from durable_nb import workflow\n"
    assert [f.code for f in findings(body, NAMESPACE, head)] == codes


def test_names_taken_before_the_guards_were_put_in_place_are_still_known() -> None:
    installed = guards.installed()
    guards.uninstall()
    before = time.time
    guards.install()
    try:
        assert time.time is not before
        for clock in (before, time.time):
            assert [f.code for f in findings("x = clock()", {"clock": clock}, "from durable_nb import workflow\n")] == [
                "DNB120"
            ]
    finally:
        if not installed:
            guards.uninstall()


def test_helpers_from_other_cells_are_reported_with_their_place() -> None:
    namespace: dict[str, object] = {"time": time}
    other = "def helper():\n    return time.time()\n"
    exec(other, namespace)
    tree = ast.parse(other)

    def find(function: object) -> tuple[FunctionNode, object]:
        assert function is namespace["helper"]
        return tree.body[0], parse_source(other, namespace, "cell [1]")  # type: ignore[return-value]

    text = "from durable_nb import workflow\n@workflow.defn\nasync def flow():\n    helper()\n"
    source = parse_source(text, namespace)._replace(find=find)  # type: ignore[arg-type]
    found = lint_definition(source.tree.body[1], source)  # type: ignore[arg-type]
    assert [(f.code, f.where, f.line) for f in found] == [("DNB120", "cell [1]", 2)]


def test_codes_are_unique_and_all_rules_say_how_to_fix_it() -> None:
    rules = {*lint_rules.NAMES.values(), *lint_rules.PREFIXES.values(), *lint_rules.ATTRIBUTES.values()}
    rules |= {value for value in vars(lint_rules).values() if isinstance(value, lint_rules.Rule)}
    titles: dict[str, str] = {}
    for rule in rules:
        assert rule.code.startswith("DNB1")
        assert titles.setdefault(rule.code, rule.title) == rule.title
        assert rule.remedy or rule is lint_rules.UNORDERED_WAIT
