"""What ``export`` and ``send_spans`` do, beside the loop: an engine that shares it goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durable_nb.client._selection import Selection

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from durable_nb.analytics.exports.formats import Exported
    from durable_nb.client._client import Client


async def export(
    client: Client,
    path: str | os.PathLike[str],
    format: str | None,
    overwrite: bool,
    options: Mapping[str, Any],
    **selection: Any,
) -> Exported:
    """``Client.export`` of what the keywords of ``Selection`` select."""
    chosen, store, place = Selection(client, **selection), client.engine.store, Path(path)

    def write() -> Exported:
        from durable_nb.analytics import exports  # noqa: PLC0415 - in this thread, for it takes its time

        client.engine.engine.outputs.flush()  # What was printed up to now is part of the runs.
        client.engine.settle()
        if exports.format_of(place, format).takes_keys:
            runs: Any = None if chosen.is_everything else chosen.run_keys()
        else:
            runs = chosen.records()
        return exports.write_runs(place, runs, format=format, overwrite=overwrite, store=store, **options)

    return await asyncio.to_thread(write)


async def send_spans(
    client: Client, to: str | SpanExporter, headers: Mapping[str, str] | None, service_name: str, **selection: Any
) -> int:
    """``Client.send_spans`` of what the keywords of ``Selection`` select."""
    chosen = Selection(client, **selection)

    def send() -> int:
        from durable_nb.analytics import exports  # noqa: PLC0415 - as above

        return exports.send_spans(chosen.records(), to, headers=headers, service_name=service_name)

    return await asyncio.to_thread(send)
