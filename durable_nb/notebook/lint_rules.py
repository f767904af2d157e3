"""What workflow code must not do, as data: dotted names, what is wrong with them, and what to write instead.

Workflow code runs again from the start whenever a run is resumed, so whatever differs from one time to the next, or
acts on the world, belongs in an activity or has a replacement in ``durable_nb.workflow``.
Source: temporal-semantics sections 2.1, 2.6 and 2.10. Codes are stable; DNB100 and DNB110 are errors, not rules.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One kind of finding. ``why`` completes the sentence "<name> …"; ``remedy`` is an instruction."""

    code: str
    title: str
    why: str
    remedy: str


CLOCK = Rule("DNB120", "wall clock", "reads the wall clock, which differs on replay", "use workflow.now()")
CLOCK_SECONDS = CLOCK._replace(remedy="use workflow.time()")
RANDOM = Rule("DNB121", "randomness", "is random, so replay takes another path", "use workflow.random()")
UUID = Rule("DNB122", "identifier", "makes a new identifier on each replay", "use workflow.uuid4()")
INPUT_OUTPUT = Rule(
    "DNB123", "input and output", "touches the outside world, again on each replay", "call it in an activity"
)
THREADS = Rule("DNB124", "threads and processes", "leaves the deterministic event loop", "run the work in an activity")
BLOCKING_SLEEP = Rule(
    "DNB125",
    "blocking sleep",
    "blocks every workflow of this process",
    "use await workflow.sleep(...), a durable timer",
)
ASYNCIO = Rule(
    "DNB126", "asyncio beyond the workflow loop", "does not exist on the workflow's event loop", "do it in an activity"
)
UNORDERED_WAIT = Rule("DNB127", "unordered wait", "iterates over sets, in an order that differs on replay", "")
GLOBAL_STATE = Rule(
    "DNB128",
    "global state",
    "is shared by all runs and changes again on each replay",
    "keep the state in the workflow object (self.…) or pass it as an argument",
)
SWALLOWED = Rule(
    "DNB129",
    "swallowed exception",
    "hides cancellation and failed activities",
    "catch ActivityError or another named error, or raise again",
)
SET_ORDER = Rule(
    "DNB130", "order of a set", "is visited in an order that differs between processes", "use sorted(...) or a list"
)
ENVIRONMENT = Rule(
    "DNB131",
    "environment",
    "may differ when the run goes on in another process",
    "pass the value as an argument, or read it in an activity",
)
PROCESS_VALUE = Rule(
    "DNB132",
    "value of this process",
    "differs from process to process",
    "use a value of the input, or hashlib for a hash",
)
CLIENT = Rule(
    "DNB133",
    "client call",
    "asks the engine from inside the workflow that the engine is running",
    "use workflow.start_child_workflow or workflow.get_external_workflow_handle, or call the client in an activity",
)
NOT_AWAITED = Rule("DNB134", "missing await", "does nothing until it is awaited", "write await in front of it")
INTERACTIVE = Rule(
    "DNB135", "asking the user", "stops every workflow of this process", "wait for a signal or an update instead"
)

_CLOCK_SECONDS = "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
_CLOCK_SECONDS += "time.process_time time.process_time_ns time.thread_time"
_CLOCK = (
    "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today time.localtime "
    "time.gmtime time.ctime time.strftime time.asctime pandas.Timestamp.now pandas.Timestamp.today "
    "pandas.Timestamp.utcnow arrow.now arrow.utcnow pendulum.now pendulum.today"
)
_RANDOM = "os.urandom os.getrandom random.SystemRandom"
_UUID = "uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.uuid8 uuid.getnode"
_IO = (
    "builtins.open io.open io.open_code os.open os.remove os.unlink os.rename os.replace os.mkdir os.makedirs os.rmdir "
    "os.removedirs os.listdir os.scandir os.walk os.stat os.chdir os.chmod os.link os.symlink os.system os.popen "
    "os.path.exists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime urllib.request.urlopen "
    "urllib.request.urlretrieve pickle.dump pickle.load json.dump json.load sqlite3.connect duckdb.connect duckdb.sql "
    "duckdb.query duckdb.read_csv duckdb.read_parquet sqlalchemy.create_engine numpy.load numpy.save numpy.savez "
    "numpy.loadtxt numpy.savetxt numpy.genfromtxt numpy.fromfile smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP "
    "psycopg.connect psycopg2.connect pymysql.connect redis.Redis pymongo.MongoClient boto3.client boto3.resource "
    "webbrowser.open logging.basicConfig"
)
_THREADS = (
    "threading.Thread threading.Timer threading.Lock threading.RLock threading.Event threading.Condition "
    "threading.Semaphore threading.Barrier queue.Queue concurrent.futures.ThreadPoolExecutor "
    "concurrent.futures.ProcessPoolExecutor concurrent.futures.wait concurrent.futures.as_completed os.fork os.kill "
    "os.spawnl os.spawnv os.execv os.execl joblib.Parallel"
)
_ASYNCIO = (
    "asyncio.to_thread asyncio.create_subprocess_exec asyncio.create_subprocess_shell asyncio.open_connection "
    "asyncio.start_server asyncio.open_unix_connection asyncio.start_unix_server asyncio.run asyncio.Runner "
    "asyncio.new_event_loop asyncio.run_coroutine_threadsafe"
)

NAMES: dict[str, Rule] = {
    **dict.fromkeys(_CLOCK_SECONDS.split(), CLOCK_SECONDS),
    **dict.fromkeys(_CLOCK.split(), CLOCK),
    **dict.fromkeys(_RANDOM.split(), RANDOM),
    **dict.fromkeys(_UUID.split(), UUID),
    **dict.fromkeys(_IO.split(), INPUT_OUTPUT),
    **dict.fromkeys(_THREADS.split(), THREADS),
    **dict.fromkeys(_ASYNCIO.split(), ASYNCIO),
    **dict.fromkeys("os.getenv os.getcwd os.cpu_count socket.gethostname platform.node".split(), ENVIRONMENT),
    **dict.fromkeys(
        "builtins.id builtins.hash os.getpid threading.get_ident threading.current_thread".split(), PROCESS_VALUE
    ),
    **dict.fromkeys("builtins.input builtins.breakpoint getpass.getpass pdb.set_trace".split(), INTERACTIVE),
    "time.sleep": BLOCKING_SLEEP,
    "asyncio.wait": UNORDERED_WAIT._replace(remedy="use workflow.wait(...)"),
    "asyncio.as_completed": UNORDERED_WAIT._replace(remedy="use workflow.as_completed(...)"),
}
"""Calls by their full name."""

_MODULES_IO = (
    "requests httpx aiohttp urllib3 http.client socket select selectors subprocess shutil tempfile glob fileinput "
    "smtplib ftplib imaplib paramiko"
)
PREFIXES: dict[str, Rule] = {
    **dict.fromkeys(_MODULES_IO.split(), INPUT_OUTPUT),
    **dict.fromkeys("pandas.read_ polars.read_ polars.scan_ pyarrow.parquet. pyarrow.csv.".split(), INPUT_OUTPUT),
    **dict.fromkeys(("secrets", "numpy.random", "random"), RANDOM),
    "multiprocessing": THREADS,
}
"""Calls by the beginning of their full name: a module with all that is in it, or a family of functions."""

HARMLESS = frozenset(
    "random.Random numpy.random.Generator numpy.random.default_rng numpy.random.SeedSequence numpy.random.RandomState "
    "secrets.compare_digest socket.AddressFamily shutil.Error subprocess.CalledProcessError subprocess.TimeoutExpired "
    "requests.Request".split()
)
"""Exceptions to the prefixes; ``SEEDED`` says which of them still need an argument."""

SEEDED = frozenset("random.Random numpy.random.default_rng numpy.random.SeedSequence numpy.random.RandomState".split())
"""Generators that are deterministic only when a seed is given."""

ATTRIBUTES: dict[str, Rule] = {"os.environ": ENVIRONMENT}
"""Names whose mere use is a finding."""

PATH_METHODS = frozenset(
    "read_text read_bytes write_text write_bytes open unlink mkdir rmdir rename replace touch exists is_file is_dir "
    "iterdir glob rglob stat resolve".split()
)
"""Methods of ``pathlib.Path`` that touch the file system."""

LOOP_METHODS = frozenset(
    "run_in_executor run_until_complete run_forever create_connection create_server subprocess_exec subprocess_shell "
    "call_soon_threadsafe add_reader add_writer getaddrinfo".split()
)
"""Methods that the workflow's loop does not have; looked for on ``get_running_loop()`` and names that hold it."""

MUTATORS = frozenset(
    "append extend insert remove pop clear add discard update setdefault popitem sort reverse appendleft "
    "intersection_update difference_update symmetric_difference_update".split()
)
"""Methods that change a list, dict or set."""

COROUTINES = frozenset(
    "sleep wait_condition execute_activity execute_activity_method execute_activity_class execute_local_activity "
    "execute_local_activity_method execute_local_activity_class execute_child_workflow start_child_workflow".split()
)
"""Functions of ``workflow`` that must be awaited."""


def find_rule(name: str) -> Rule | None:
    """The rule that a call of the dotted ``name`` breaks, None for none."""
    rule = NAMES.get(name)
    if rule is not None:
        return rule
    if name in HARMLESS:
        return None
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        rule = PREFIXES.get(".".join(parts[:count]))
        if rule is not None:
            return rule
    return next((rule for prefix, rule in PREFIXES.items() if prefix[-1] in "_." and name.startswith(prefix)), None)
