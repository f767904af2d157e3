"""Several versions of one workflow type in a host."""

from __future__ import annotations

from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.versions import Versions


async def _run() -> int:
    return 1


def version(name: str = "Order") -> WorkflowDefinition:
    return WorkflowDefinition(name, None, _run)


def test_a_run_gets_the_version_it_is_pinned_to_and_a_new_one_the_current() -> None:
    versions, old, new = Versions(), version(), version()
    assert versions.add(old, "a") == []
    assert versions.add(new, "b") == []
    assert [versions.find("Order", digest) for digest in ("a", "b", "")] == [old, new, new]
    assert versions.current_digest("Order") == "b"
    assert versions.digests("Order") == ["a", "b"]


def test_a_run_pinned_to_a_version_that_is_not_here_is_declined_but_can_be_looked_at() -> None:
    versions, only = Versions(), version()
    versions.add(only, "a")
    assert [versions.serves("Order", digest) for digest in ("a", "b", "")] == [True, False, True]
    assert versions.find("Order", "b") is only
    assert versions.find("Other") is None
    assert not versions.serves("Other")


def test_code_without_a_digest_takes_all_runs_and_the_place_of_all_versions() -> None:
    versions, old, plain, new = Versions(), version(), version(), version()
    versions.add(old, "a")
    assert versions.add(plain) == [old]
    assert versions.serves("Order", "whatever")
    assert versions.find("Order", "whatever") is plain
    assert versions.add(new, "b") == [plain]
    assert not versions.serves("Order", "whatever")


def test_a_version_beside_the_current_one_does_not_take_new_runs() -> None:
    versions, old, new = Versions(), version(), version()
    versions.add(new, "b")
    versions.add(old, "a", current=False)
    assert versions.current_digest("Order") == "b"
    assert versions.find("Order", "a") is old


def test_the_same_digest_again_takes_the_place_of_the_first() -> None:
    versions, one, two = Versions(), version(), version()
    versions.add(one, "a")
    assert versions.add(two, "a", current=False) == [one]
    assert versions.find("Order") is two
    assert versions.digests("Order") == ["a"]


def test_when_the_current_version_goes_the_latest_of_the_others_is_current() -> None:
    versions, old, new = Versions(), version(), version()
    versions.add(old, "a")
    versions.add(new, "b")
    assert versions.remove("Order", "b") == [new]
    assert versions.current_digest("Order") == "a"
    assert versions.remove("Order", "gone") == []
    assert versions.remove("Order") == [old]
    assert versions.names == []
    assert versions.current_digest("Order") == ""


def test_the_dynamic_definition_has_versions_too() -> None:
    versions = Versions()
    old, new = version(), version()
    old.name = new.name = None
    versions.add(old, "a")
    versions.add(new, "b")
    assert versions.find("Anything", "a") is old
    assert versions.find("Anything") is new
    assert versions.serves("Anything", "b")
    assert not versions.serves("Anything", "c")


def test_a_run_that_dynamic_code_began_stays_on_it_when_its_type_gets_code_of_its_own() -> None:
    versions, dynamic, own = Versions(), version(), version("Order")
    dynamic.name = None
    versions.add(dynamic, "a")
    versions.add(own, "b")
    assert versions.find("Order", "a") is dynamic
    assert versions.serves("Order", "a")
    assert versions.find("Order", "b") is versions.find("Order") is own
    assert not versions.serves("Order", "c")
