"""Spans over HTTP to a collector of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest

from durable_nb.analytics.exports import RunRecord, otlp, otlp_spans, send_spans
from durable_nb.errors import ExportError


class Collector(HTTPServer):
    """Keeps what it gets; answers what the test says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status, self.reply = 200, b"{}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.reply)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_spans_arrive_in_batches_that_keep_runs_whole(
    collector: Collector, gallery: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "BATCH", 50)
    count = send_spans(gallery, collector.url, headers={"X-Key": "k"}, service_name="shop")
    expected = [span for record in gallery for span in otlp_spans(record)]
    assert count == len(expected)
    arrived = []
    for path, headers, body in collector.got:
        assert path == "/v1/traces"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Key"] == "k"
        (resource_spans,) = body["resourceSpans"]
        arrived += resource_spans["scopeSpans"][0]["spans"]
    assert arrived == expected
    assert len(collector.got) > 1


def test_namespaces_are_resources_of_their_own(collector: Collector, gallery: list[RunRecord]) -> None:
    other = msgspec.structs.replace(gallery[1], run=msgspec.structs.replace(gallery[1].run, namespace="other"))
    send_spans([gallery[0], other], f"{collector.url}/custom/path")
    assert [path for path, _, _ in collector.got] == ["/custom/path"] * 2


@pytest.mark.parametrize(
    ("status", "reply", "said"),
    [
        (500, b"out of order", "500.*out of order"),
        (200, b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}', "rejected 3 spans: too old"),
    ],
)
def test_a_refusal_is_told(
    collector: Collector, gallery: list[RunRecord], status: int, reply: bytes, said: str
) -> None:
    collector.status, collector.reply = status, reply
    with pytest.raises(ExportError, match=said):
        send_spans(gallery[:1], collector.url)


def test_an_answer_that_is_no_json_counts_as_accepted(collector: Collector, gallery: list[RunRecord]) -> None:
    collector.reply = b"ok"
    assert send_spans(gallery[:1], collector.url) > 0


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [("file:///etc/passwd", "no HTTP URL"), ("localhost:4318", "no HTTP URL"), ("", "no HTTP URL")],
)
def test_only_http_is_spoken(gallery: list[RunRecord], endpoint: str, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        send_spans(gallery[:1], endpoint)


def test_nobody_there_is_told(gallery: list[RunRecord]) -> None:
    server = Collector()
    url = server.url
    server.server_close()
    with pytest.raises(ExportError, match="no collector answers"):
        send_spans(gallery[:1], url)
