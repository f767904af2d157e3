"""Spans to an OpenTelemetry collector over OTLP/HTTP in JSON, with the standard library alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from durable_nb.analytics.exports.otlp import span_batches, traces_data
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.errors import ExportError
from durable_nb.model.text import safe_text


def post_spans(
    runs: Iterable[RunRecord],
    endpoint: str,
    *,
    headers: Mapping[str, str] | None = None,
    service_name: str = "durable_nb",
    timeout: float = 10.0,
) -> int:
    """Post the finished spans of runs to a collector; returns how many.

    Parameters
    ----------
    endpoint
        Base URL of the collector; ``/v1/traces`` is added where no path is given.
    headers
        For instance an API key.
    timeout
        Seconds for each request.

    Raises
    ------
    ExportError
        DNB405: not an HTTP URL, nobody answers there, or the collector refuses; what was sent before stays sent.
    """
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ExportError(f"{safe_text(endpoint)!r} is no HTTP URL", fix='for instance "http://localhost:4318"')
    url = endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
    sent = 0
    for namespace, spans in span_batches(runs):
        body = json.dumps(traces_data(namespace, spans, service_name), separators=(",", ":")).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            url, body, {**(headers or {}), "Content-Type": "application/json"}, method="POST"
        )
        _send(request, timeout)
        sent += len(spans)
    return sent


def _send(request: urllib.request.Request, timeout: float) -> None:
    url = request.full_url
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            reply: Any = json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        said = safe_text(error.read(1000).decode("utf-8", "replace"))
        error.close()
        raise ExportError(f"the collector refused the spans: {error.code} {error.reason} {said}", where=url) from error
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ExportError(f"no collector answers: {reason}", where=url, fix="start it, or give its address") from error
    except ValueError:
        return  # Accepted, with an answer that is no JSON.
    partial = reply.get("partialSuccess") if isinstance(reply, dict) else None
    if isinstance(partial, dict) and int(partial.get("rejectedSpans") or 0):
        raise ExportError(
            f"the collector rejected {partial['rejectedSpans']} spans: {safe_text(partial.get('errorMessage', ''))}",
            where=url,
        )
