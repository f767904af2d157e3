"""Travel in time: which code a run is replayed on, and replays of it, in the calling thread and never in the engine.

A ``Journey`` holds a history and a definition; each ``at`` replays to an event in a fresh instance. Nothing is
written, and neither the engine's cached instance nor the store is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.client._moment import Moment
from durable_nb.converter.codec import apply_codec
from durable_nb.errors import DefinitionMissingError
from durable_nb.model.attributes import WorkflowTaskCompleted
from durable_nb.model.events import Event
from durable_nb.model.requests import Branched, ReadHistory, Target
from durable_nb.policies import HeaderCodecBehavior
from durable_nb.runtime import guards
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.errors import NondeterminismError
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.payload_visitor import visit_payloads
from durable_nb.runtime.replay import replay_history
from durable_nb.runtime.travel import Visit, stop_at, visit

if TYPE_CHECKING:
    from durable_nb.client._client import Client
    from durable_nb.model.records import RunRow


class Code(NamedTuple):
    """A definition to replay on. ``digest`` is that of its source, "" where it is not known.

    ``note`` says in words which code it is, ``is_other`` that it is not that which the run is on.
    """

    definition: WorkflowDefinition
    options: RuntimeOptions
    digest: str = ""
    note: str = ""
    is_other: bool = False


class Journey:
    """A history that can be walked: ``journey.at(17)`` is the run as it was at event 17."""

    def __init__(self, client: Client, workflow_id: str, run_id: str, events: Sequence[Event], code: Code) -> None:
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.events = list(events)
        """The history as far as it is known here, payloads decoded."""
        self._namespace = client.namespace
        self._code = code

    def __len__(self) -> int:
        return len(self.events)

    def take(self, events: Sequence[Event]) -> None:
        """Go on with what was recorded since, payloads decoded."""
        self.events += events

    def at(self, event_id: int, *, debug: bool = False) -> Moment:
        """The run at an event; negative ids count from the end. See ``WorkflowHandle.at``.

        Raises
        ------
        ValueError
            There is no such event.
        NondeterminismError
            The code at hand does not do what the history says.
        """
        wanted = event_id + len(self.events) + 1 if event_id < 0 else event_id
        stop = stop_at(self.events, wanted)
        definition, options = self._code[:2]

        def replay(*, debug: bool) -> Visit:
            return visit(
                definition,
                options,
                self.events,
                stop,
                namespace=self._namespace,
                workflow_id=self.workflow_id,
                run_id=self.run_id,
                debug=debug,
            )

        try:
            seen = replay(debug=debug)
        except NondeterminismError as error:
            if not self._code.is_other:
                raise
            parts = {name: getattr(error, name) for name in ("event_id", "recorded", "actual", "where")}
            raise NondeterminismError(f"{error.message}\n  replayed   on {self._code.note}", **parts) from error
        if debug and seen.closed and not seen.tasks:
            # Under a debugger nobody could watch how the code returned: see it once more, without stops.
            seen.close()
            seen = replay(debug=False)
        return Moment._from_visit(seen, self.workflow_id, self.run_id, self.events, wanted, self._code.note)


async def open_journey(client: Client, target: Target, workflows: Sequence[Any] = ()) -> Journey:
    """A journey through a run as it is now.

    Raises
    ------
    RPCError
        NOT_FOUND: no such run.
    DefinitionMissingError
        DNB112: no worker of this process has the workflow's definition, and ``workflows`` has not either.
    """
    row, ports = await client.frontend.find_hosts(target)
    if workflows:
        given = [_given(client, each) for each in workflows]
        code, why = next((each for each in given if each.definition.name in (row.workflow_type, None)), None), ""
    else:
        code, why = await _code_of(client, row, ports)
    if code is None:
        raise DefinitionMissingError(
            f"no worker of this process has workflow {row.workflow_type!r}, on whose code the run would be replayed"
            + (f" ({why})" if why else ""),
            where=f"workflow {row.workflow_id!r}, run {row.run_id}",
            fix="run the cell or import the module that defines it, or pass it: handle.at(…, workflows=[…])",
        )
    request = ReadHistory(Target(row.namespace, row.workflow_id, row.run_id))
    events: list[Event] = (await client.frontend.read_history(request)).events
    return Journey(client, row.workflow_id, row.run_id, await _decoded(client, events), code)


async def _code_of(client: Client, row: RunRow, ports: Sequence[Any]) -> tuple[Code | None, str]:
    """The code that a run is on: served here, or made again from where it is kept; else the code of now, and why."""
    codes = _codes(ports, row.workflow_type, row.definition)
    own = f"version {row.definition[:8]}"
    exact = next((code for code in codes if code.digest == row.definition), None)
    if exact is not None:
        return exact._replace(note=own if row.definition else ""), ""
    if codes and not codes[0].digest:
        return codes[0], ""  # a program's worker: what it has is the code, as with any worker of a cluster
    port, why = await client.frontend.recall(row)
    made = port.past_definition(row.workflow_type, row.definition) if port is not None else None
    if port is not None and made is not None:
        return Code(made, port.host.options, row.definition, f"{own}, from its stored source"), ""
    if not codes:
        return None, why
    now = f"the code of now, version {codes[0].digest[:8]}"
    if row.definition:
        now += f", and not {own} that the run is on: {why}" if why else f", and not {own} that the run is on"
    return codes[0]._replace(note=now, is_other=bool(row.definition)), why


async def fitting_digest(client: Client, target: Target, preview: Branched) -> str:
    """Digest of the version that a new run with this beginning must be pinned to; "" where the current one fits.

    Raises
    ------
    NondeterminismError
        The code at hand would not do what the kept history says: usually because it derives ids from the workflow ID,
        or was edited since.
    """
    row, ports = await client.frontend.find_hosts(target)
    codes = _codes(ports, row.workflow_type)
    if not codes:
        return ""
    events = await _decoded(client, preview.events)
    first: Exception | None = None
    for code in [codes[0], *(code for code in codes[1:] if code.digest == row.definition and code.digest)]:
        if code.options.guards:
            guards.install()
        definition, options, digest = code[:3]
        namespace, ident = client.namespace, preview.workflow_id
        failure = replay_history(
            definition, options, ident, events, namespace=namespace, run_id=preview.run_id or "preview"
        ).failure
        if failure is None:
            return "" if code is codes[0] else digest
        first = first or failure
    if not isinstance(first, NondeterminismError):
        return ""  # The code raises, for whatever reason: that is what the new run will show.
    raise first


async def task_that_diverges(client: Client, target: Target) -> tuple[str, int]:
    """Digest that the run is pinned to, and the WorkflowTaskCompleted at which the code of now does something else.

    The id is 0 where the code of now does all that the history says.

    Raises
    ------
    DefinitionMissingError
        DNB112: the definition is not in this process.
    ValueError
        The code of now raises in the replay, so that nothing can be said.
    """
    row, ports = await client.frontend.find_hosts(target)
    journey = await open_journey(client, target)
    code = _codes(ports, row.workflow_type)[0]
    if code.options.guards:
        guards.install()
    definition, options = code[:2]
    failure = replay_history(
        definition, options, row.workflow_id, journey.events, namespace=client.namespace, run_id=row.run_id
    ).failure
    if failure is None:
        return row.definition, 0
    if not isinstance(failure, NondeterminismError) or not failure.event_id:
        raise ValueError(f"the code of now raises when the history is replayed: {type(failure).__name__}: {failure}")
    done = [e.event_id for e in journey.events if isinstance(e.attributes, WorkflowTaskCompleted)]
    return row.definition, max((each for each in done if each < failure.event_id), default=done[0] if done else 0)


def _codes(ports: Sequence[Any], workflow_type: str, digest: str = "") -> list[Code]:
    """Versions of a type that the workers of this process have: the current one of the first port first.

    The version ``digest`` is among them also where it is one of a dynamic workflow and the type has its own by now.
    """
    found: list[Code] = []
    for port in ports:
        host = getattr(port, "host", None)
        if host is None:
            continue
        current = host.definition(workflow_type)
        if current is None:
            continue
        digests = host.versions.digests(current.name)
        if host.versions.holds(workflow_type, digest) and digest and digest not in digests:
            digests.append(digest)
        versions = {each: host.definition(workflow_type, each) for each in digests}
        codes = [Code(each, host.options, version) for version, each in versions.items() if each is not None]
        codes.sort(key=lambda code: code.definition is not current)
        found += codes or [Code(current, host.options)]
    return found


def _given(client: Client, workflow: Any) -> Code:
    converter = client.data_converter
    options = RuntimeOptions(
        payload_converter=converter.payload_converter, failure_converter=converter.failure_converter
    )
    return Code(WorkflowDefinition.must_from_class(workflow), options, note="the definition that was given")


async def _decoded(client: Client, events: list[Event]) -> list[Event]:
    codec = client.data_converter.payload_codec
    if codec is None:
        return events
    headers = client.header_codec_behavior is not HeaderCodecBehavior.NO_CODEC
    decoded: list[Event] = await visit_payloads(events, partial(apply_codec, codec.decode), headers=headers)
    return decoded
