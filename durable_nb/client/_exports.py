"""``export`` and ``send_spans`` of clients and handles: runs out of the store, in a thread of their own.

The work is in ``_exporting``, the formats are in ``analytics.exports``; both are imported when something is exported.
What is exported is what is stored: payloads that a codec encrypted stay encrypted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_nb.model.requests import MetricSample

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from durable_nb.analytics.exports.formats import Exported
    from durable_nb.client._client import Client


class ExportingClient:
    """Exports of a client: all runs, or those that somebody chose."""

    async def export(
        self,
        path: str | os.PathLike[str],
        query: str | None = None,
        *,
        runs: Any = None,
        format: str | None = None,
        limit: int | None = None,
        children: bool = False,
        chain: bool = False,
        overwrite: bool = False,
        **options: Any,
    ) -> Exported:
        """Write the runs that a filter selects, newest first, to a file; they are never all in memory.

        Parameters
        ----------
        path
            Its end tells the format where ``format`` is None: ``.zip`` or a directory (histories in Temporal's JSON),
            ``.trace.json``, ``.otlp.jsonl``, ``.xes``, ``.csv``, ``.parquet``, …; ``.gz`` behind it compresses.
        query
            As for ``list_workflows``; None means all runs of the namespace (Parquet: of the store).
        runs
            Instead of a filter the runs themselves: a frame with ``workflow_id`` (and ``run_id``), as ``client.sql``
            gives it, handles, or workflow IDs.
        format
            A name in ``durable_nb.analytics.exports.FORMATS``.
        children, chain
            With the children of each run; with the runs before and after it (continue-as-new, retry, cron).
        overwrite
            Replace what is there.
        options
            What the format takes.

        Raises
        ------
        ExportError
            DNB405: an unknown format or option, a file that exists, a place that cannot be written.
        RPCError
            INVALID_ARGUMENT: the filter is not understood. NOT_FOUND: a run of ``runs`` is not here.

        Examples
        --------
        >>> slow = client.sql("SELECT workflow_id, run_id FROM runs WHERE duration_us > 60e6")  # doctest: +SKIP
        >>> await client.export("slow.parquet", runs=slow)  # doctest: +SKIP
        """
        from durable_nb.client._exporting import export  # noqa: PLC0415 - see the module docstring

        client: Client = self  # type: ignore[assignment]
        selection = {"query": query, "runs": runs, "limit": limit, "children": children, "chain": chain}
        return await export(client, path, format, overwrite, options, **selection)

    async def send_spans(
        self,
        to: str | SpanExporter = "http://localhost:4318",
        query: str | None = None,
        *,
        runs: Any = None,
        limit: int | None = None,
        children: bool = False,
        chain: bool = False,
        headers: Mapping[str, str] | None = None,
        service_name: str = "durable_nb",
    ) -> int:
        """Send OpenTelemetry spans of what is over, made from histories; returns how many.

        A replay adds none, and sending again repeats the same ids.

        Parameters
        ----------
        to
            URL of a collector (OTLP over HTTP), or any ``SpanExporter`` of the OpenTelemetry SDK.
        query, runs, limit, children, chain
            Which runs, as for ``export``.
        headers
            For a URL: for instance an API key.
        service_name
            Resource attribute ``service.name``.

        Raises
        ------
        ExportError
            DNB405: nobody answers there, or the spans are refused; what was sent before stays sent.
        RPCError
            As ``export``.
        """
        from durable_nb.client._exporting import send_spans  # noqa: PLC0415 - see the module docstring

        client: Client = self  # type: ignore[assignment]
        selection = {"query": query, "runs": runs, "limit": limit, "children": children, "chain": chain}
        return await send_spans(client, to, headers, service_name, **selection)

    async def metrics(self) -> list[MetricSample]:
        """What the engine of this process measures of itself, as it is now.

        The view ``metrics`` (``client.sql``) holds the same for every process, as of its last heartbeat.
        """
        client: Client = self  # type: ignore[assignment]
        samples: list[MetricSample] = await client.frontend.read_metrics()
        return samples


class ExportingHandle:
    """Exports of a handle: its run."""

    _client: Client
    _id: str
    _run_id: str | None

    async def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        children: bool = False,
        chain: bool = False,
        overwrite: bool = False,
        **options: Any,
    ) -> Exported:
        """Write the run to a file; parameters and errors are those of ``Client.export``.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        from durable_nb.client._exporting import export  # noqa: PLC0415 - see the module docstring

        selection = {"runs": [(self._id, self._run_id)], "children": children, "chain": chain}
        return await export(self._client, path, format, overwrite, options, **selection)

    async def send_spans(
        self,
        to: str | SpanExporter = "http://localhost:4318",
        *,
        children: bool = False,
        chain: bool = False,
        headers: Mapping[str, str] | None = None,
        service_name: str = "durable_nb",
    ) -> int:
        """Send OpenTelemetry spans of the run; parameters and errors are those of ``Client.send_spans``.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        from durable_nb.client._exporting import send_spans  # noqa: PLC0415 - see the module docstring

        selection = {"runs": [(self._id, self._run_id)], "children": children, "chain": chain}
        return await send_spans(self._client, to, headers, service_name, **selection)
