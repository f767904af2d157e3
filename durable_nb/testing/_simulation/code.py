"""The definitions that simulated workers run: workflow hosts by date, sources and digests, activity results.

Everything is the package's own: histories are made by ``WorkflowHost`` from real workflow code, results by calling the
activity functions, failures by the failure converter. Only waiting is left out.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
import textwrap
from collections.abc import Sequence
from typing import Any

from durable_nb.activity._definition import must_have_definition
from durable_nb.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import DefinitionRow
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.host import WorkflowHost
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.testing._simulation import shop, shop_activities, shop_before

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


class PortableFailures(DefaultFailureConverter):
    """Failures whose stack traces name files from the package on: the same on every machine."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        super().to_failure(exception, payload_converter, failure)
        found: Failure | None = failure
        while found is not None:
            found.stack_trace = found.stack_trace.replace(_PACKAGE, "")
            found = found.cause


class Code:
    """Hosts of both versions, and what activities return."""

    def __init__(self) -> None:
        converter = DataConverter.default
        self.converter = converter.payload_converter
        self.failures = PortableFailures()
        self._after = self._host(shop.WORKFLOWS)
        before = [each for each in shop.WORKFLOWS if each is not shop.OrderWorkflow]
        self._before = self._host([*before, *shop_before.WORKFLOWS])
        self.digests = {
            (host, name): self._row(cls, 0).digest
            for host, classes in (
                (self._after, shop.WORKFLOWS),
                (self._before, [*before, *shop_before.WORKFLOWS]),
            )
            for name, cls in ((each.__name__, each) for each in classes)
        }
        self._activities = {each.name: each for each in map(must_have_definition, shop_activities.ACTIVITIES)}

    def _host(self, workflows: Sequence[type]) -> WorkflowHost:
        options = RuntimeOptions(
            self.converter, self.failures, guards=False, deadlock_timeout=None, max_cached_workflows=1_000_000
        )
        host = WorkflowHost(options)
        for workflow in workflows:
            definition = WorkflowDefinition.from_class(workflow)
            if definition is None:
                raise AssertionError(f"{workflow.__name__} is not a workflow")
            host.register(definition)
        return host

    def host(self, is_after: bool) -> WorkflowHost:
        """What workers run before or after the change of the second week."""
        return self._after if is_after else self._before

    def definitions(self, first: int, second: int) -> list[DefinitionRow]:
        """Sources for the store: those of the start, and those of the change at ``second``."""
        rows = [self._row(each, first) for each in (*shop_before.WORKFLOWS, *shop.WORKFLOWS[1:])]
        return [*rows, self._row(shop.OrderWorkflow, second)]

    @staticmethod
    def _row(workflow: type, created_at: int) -> DefinitionRow:
        linecache.checkcache()
        lines, first_line = inspect.getsourcelines(workflow)
        text = textwrap.dedent("".join(lines)).rstrip() + "\n"
        digest = hashlib.sha256(text.rstrip().encode()).hexdigest()
        path = inspect.getfile(workflow).replace(_PACKAGE, "")
        return DefinitionRow(digest, workflow.__name__, "workflow", text, f"{path}, line {first_line}", created_at)

    # -- activities ------------------------------------------------------------------------------------------------

    def result(self, activity_type: str, given: list[Payload] | None) -> list[Payload]:
        """What the activity returns for this input."""
        definition = self._activities[activity_type]
        arguments: list[Any] = self.converter.from_payloads(given or [], definition.arg_types)
        return self.converter.to_payloads([definition.fn(*arguments)])

    def failure(self, error: Exception) -> Failure:
        """The record of an error that an attempt raised."""
        failure = Failure()
        self.failures.to_failure(error, self.converter, failure)
        return failure
