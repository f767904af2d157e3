"""What a run can be told and asked: names of its signals, queries and updates, for completion and "did you mean".

The run itself knows best (the metadata query tells also of handlers that its code set later); where no worker has its
code, or none answers in time, the definition that this notebook has of its type is looked at.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.client import WorkflowQueryFailedError
from durable_nb.errors import NotebookError
from durable_nb.notebook import patience
from durable_nb.notebook.subcommands.asking import handle
from durable_nb.notebook.subcommands.inputs import check_message
from durable_nb.notebook.words import did_you_mean
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession
    from durable_nb.notebook.subcommands.subcommand import Completer

METADATA = "__temporal_workflow_metadata"
KINDS = {"signal": "signals", "query": "queries", "update": "updates"}


class Handlers(NamedTuple):
    """Names by kind (``signal``, ``query``, ``update``), and the kinds with a handler for any name.

    ``definition`` is what this notebook has under the run's type; None where that is elsewhere.
    """

    names: Mapping[str, list[str]]
    dynamic: frozenset[str]
    definition: Any = None


def handlers(session: NotebookSession, options: argparse.Namespace, timeout: float) -> Handlers | None:
    """The handlers of the run that ``options`` name; None where nobody here can tell."""
    try:
        told = session.run(handle(session, options).query(METADATA), timeout)
        found = _of_metadata(told["definition"])
        return found._replace(definition=definition_of(session, str(told["definition"]["type"])))
    except (TimeoutError, RPCError, WorkflowQueryFailedError, KeyError, TypeError):
        pass
    try:
        described = session.run(handle(session, options).describe(), timeout)
    except (TimeoutError, RPCError):
        return None
    definition = definition_of(session, described.workflow_type, described.raw_info.definition)
    return None if definition is None else _of_definition(definition)


def definition_of(session: NotebookSession, workflow_type: str, digest: str = "") -> Any:
    """The definition that this notebook has under a name, in the version that a run is pinned to; None for none."""
    versions = session.worker.port.host.versions
    here = workflow_type in versions.names and versions.serves(workflow_type, digest)
    return versions.find(workflow_type, digest) if here else None


def handler_names(kind: str) -> Completer:
    """Completer of the names of one kind."""

    def complete(session: NotebookSession, options: argparse.Namespace) -> Iterable[str]:
        found = handlers(session, options, patience.COMPLETION) if options.id else None
        return [] if found is None else found.names[kind]

    return complete


def check(session: NotebookSession, options: argparse.Namespace, kind: str) -> bool:
    """Whether the run has a handler of that name; True where nobody can tell.

    Raises
    ------
    NotebookError
        DNB700: it has none, but one whose name is much like it; or it takes other arguments.
    """
    found = handlers(session, options, patience.SLIP)
    check_message(session, found, kind, options.name, options.inputs)
    if found is None or kind in found.dynamic or options.name in found.names[kind] or options.name.startswith("__"):
        return True
    guess = did_you_mean(options.name, found.names[kind])
    if guess:
        raise unknown_name(kind, options, found.names[kind])
    return False


def unknown_name(kind: str, options: argparse.Namespace, known: Iterable[str]) -> NotebookError:
    """The error of a name that does not exist."""
    names = [name for name in known if not name.startswith("__")]
    fix = f"its {KINDS[kind]} are {', '.join(names)}" if names else f"it has no {KINDS[kind]}"
    return NotebookError(
        f"there is no {kind} {options.name!r} in {options.id!r}{did_you_mean(options.name, names)}", fix=fix
    )


def _of_metadata(told: Mapping[str, Any]) -> Handlers:
    names: dict[str, list[str]] = {}
    dynamic = set()
    for kind in KINDS:
        found = [str(each["name"]) for each in told[f"{kind}Definitions"]]
        names[kind] = [name for name in found if re.match(r"(?!__)(?s:.)", name)]
        if "" in found:
            dynamic.add(kind)
    return Handlers(names, frozenset(dynamic))


def _of_definition(definition: Any) -> Handlers:
    tables = {kind: getattr(definition, plural) for kind, plural in KINDS.items()}
    names = {kind: sorted(name for name in table if name is not None) for kind, table in tables.items()}
    return Handlers(names, frozenset(kind for kind, table in tables.items() if None in table), definition)
