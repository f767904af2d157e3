"""Making clients: the store behind them, their configuration, plugins and display."""

from __future__ import annotations

import inspect
import os
import sys
from types import SimpleNamespace

import pytest

import durable_nb.client as package
from durable_nb.client import Client, Plugin, WorkflowHandle
from durable_nb.client._connect import connect
from durable_nb.client._display import set_handle_renderer
from durable_nb.common import HeaderCodecBehavior
from durable_nb.converter import DataConverter
from durable_nb.errors import StoreUrlError
from tests.client.fake_frontend import FakeEngine, started


@pytest.fixture
def opened(monkeypatch):
    """Calls of ``open_engine``, which opens nothing."""
    calls: list[tuple[str, object]] = []
    engine = FakeEngine()

    def open_engine(url, *, own_thread=None, clock=None):
        calls.append((url, own_thread))
        return engine

    monkeypatch.setitem(sys.modules, "durable_nb.engine", SimpleNamespace(open_engine=open_engine))
    return SimpleNamespace(calls=calls, engine=engine)


async def test_connect_opens_the_store_named_by_target_host(opened):
    client = await Client.connect("sqlite:////data/x.db", namespace="n", identity="me", api_key="k", tls=True)
    assert opened.calls == [("sqlite:////data/x.db", None)]
    assert client.engine is client.service_client is opened.engine
    assert (client.namespace, client.identity, client.api_key) == ("n", "me", "k")


async def test_a_lazy_client_opens_its_store_once_at_the_first_call(opened):
    client = await Client.connect("sqlite:///x.db", lazy=True)
    assert opened.calls == []
    assert repr(client) == "<Client of a store not opened yet>"
    opened.engine.frontend.answer("start_workflow", started(), started())
    await client.start_workflow("Ping", id="p")
    await client.start_workflow("Ping", id="p")
    assert client.engine is opened.engine
    assert len(opened.calls) == 1


def test_connect_without_await_takes_the_store_of_the_environment_or_a_file_beside_the_notebook(opened, monkeypatch):
    monkeypatch.delenv("DURABLE_NB_STORE", raising=False)
    connect()
    monkeypatch.setenv("DURABLE_NB_STORE", "sqlite:///env.db")
    connect()
    client = connect("sqlite:///given.db", namespace="n")
    assert opened.calls == [("sqlite:///durable.db", True), ("sqlite:///env.db", True), ("sqlite:///given.db", True)]
    assert client.namespace == "n"


@pytest.mark.parametrize(
    "address", ["localhost:7233", "team.a1b2.tmprl.cloud:7233", "http://localhost:8233", "[::1]:7233"]
)
async def test_the_address_of_a_cluster_is_told_from_a_store(opened, address):
    with pytest.raises(StoreUrlError, match="address of a server") as caught:
        await Client.connect(address)
    assert "sqlite:///durable.db" in caught.value.fix
    assert "temporalio" in caught.value.fix
    assert opened.calls == []


async def test_a_bare_file_name_is_answered_with_its_url(opened):
    with pytest.raises(StoreUrlError) as caught:
        await Client.connect("runs.db")
    assert caught.value.fix == 'for a file write "sqlite:///runs.db"'
    with pytest.raises(StoreUrlError, match="not int"):
        await Client.connect(7)


def test_a_client_names_process_and_host_unless_told_otherwise(engine: FakeEngine):
    assert Client(engine).identity.startswith(f"{os.getpid()}@")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db/runs", "postgresql://ann:***@db/runs"),
        ("postgresql://ann@db/runs", "postgresql://ann@db/runs"),
        ("sqlite:////home/a:b@c/x.db", "sqlite:////home/a:b@c/x.db"),
        ("memory://", "memory://"),
    ],
)
def test_a_client_shows_its_store_but_no_password(engine: FakeEngine, url, shown):
    engine.url = url
    assert repr(Client(engine)) == f"<Client of {shown}>"


def test_a_configuration_makes_an_equal_client(engine: FakeEngine):
    converter = DataConverter()
    client = Client(engine, namespace="n", data_converter=converter, identity="me")
    other = Client(**client.config())
    assert (other.engine, other.namespace, other.data_converter, other.identity) == (engine, "n", converter, "me")
    assert client.config()["interceptors"] is not client.config()["interceptors"]


def test_plugins_change_the_configuration_in_order(engine: FakeEngine):
    class Suffix(Plugin):
        def __init__(self, text: str) -> None:
            self.text = text

        def configure_client(self, config):
            config["namespace"] += self.text
            return config

    client = Client(engine, namespace="n", plugins=[Suffix("1"), Suffix("2")])
    assert client.namespace == "n12"
    assert client.config()["namespace"] == "n"
    assert client.config(active_config=True)["namespace"] == "n12"
    assert Client(**client.config()).namespace == "n12"
    assert Suffix("1").name().endswith("Suffix")


def test_connect_and_the_class_take_what_temporals_take():
    temporalio = pytest.importorskip("temporalio.client")
    ours = inspect.signature(Client.connect).parameters
    assert list(ours) == list(inspect.signature(temporalio.Client.connect).parameters)
    theirs = list(inspect.signature(temporalio.Client).parameters)
    assert list(inspect.signature(Client).parameters) == [*theirs, "identity"]
    assert ours["header_codec_behavior"].default is HeaderCodecBehavior.NO_CODEC


@pytest.mark.parametrize(
    ("cls", "verbs"),
    [
        (
            "Client",
            (
                "get_workflow_handle get_workflow_handle_for execute_update_with_start_workflow list_workflows "
                "start_update_with_start_workflow count_workflows get_async_activity_handle config"
            ),
        ),
        (
            "WorkflowHandle",
            (
                "result cancel describe fetch_history fetch_history_events query signal terminate execute_update "
                "start_update get_update_handle get_update_handle_for"
            ),
        ),
        ("WorkflowUpdateHandle", "result"),
        ("AsyncActivityHandle", "heartbeat complete fail report_cancellation"),
        ("WorkflowExecution", "memo memo_value"),
        ("WorkflowExecutionAsyncIterator", "fetch_next_page map_histories"),
        ("WorkflowHistory", "from_json to_json to_json_dict"),
    ],
)
def test_every_verb_has_temporals_parameters(cls, verbs):
    temporalio = pytest.importorskip("temporalio.client")
    for verb in verbs.split():
        ours = inspect.signature(getattr(getattr(package, cls), verb)).parameters
        theirs = inspect.signature(getattr(getattr(temporalio, cls), verb)).parameters
        assert [(p.name, p.kind) for p in ours.values()] == [(p.name, p.kind) for p in theirs.values()], verb


def test_the_package_lists_all_public_names_and_lacks_none_of_temporals_but_those_of_other_issues():
    temporalio = pytest.importorskip("temporalio.client")
    public = {name for name in dir(package) if name[0] != "_" and inspect.isclass(getattr(package, name))}
    assert public == set(package.__all__)
    elsewhere = ("Schedule", "Nexus", "BuildId", "Worker", "Cloud", "Reachability", "Callback")
    expected = {
        name
        for name in temporalio.__all__
        if getattr(getattr(temporalio, name), "__module__", "").startswith("temporalio.client")
        and not any(word in name for word in elsewhere)
        and not name.startswith("_")
        and ("Activit" not in name or "Async" in name)  # activities without a workflow
    } - {"ActivityExecutionAsyncIterator"}
    assert {"WorkflowHandle", "AsyncActivityHandle"} <= expected
    assert expected - set(package.__all__) == set()


def test_a_handle_shows_itself_as_text_and_through_the_renderer_of_the_notebook(client: Client):
    handle = client.get_workflow_handle("order-1", run_id="r1")
    text = "<WorkflowHandle 'order-1', run r1 on <Client of sqlite:///fake.db>>"
    assert repr(handle) == text
    assert handle._repr_mimebundle_() == {"text/plain": text}
    try:
        set_handle_renderer(lambda shown: {"text/html": f"<b>{shown.id}</b>"})
        assert handle._repr_mimebundle_() == {"text/plain": text, "text/html": "<b>order-1</b>"}
        set_handle_renderer(lambda shown: None)
        assert handle._repr_mimebundle_() == {"text/plain": text}
    finally:
        set_handle_renderer(None)
    assert repr(WorkflowHandle(Client(FakeEngine(), namespace="n"), "w")) == (
        "<WorkflowHandle 'w' on <Client of sqlite:///fake.db, namespace 'n'>>"
    )
    assert "accepted or unknown" in repr(handle.get_update_handle("u"))
