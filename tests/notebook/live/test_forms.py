"""Forms for the messages that a workflow takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal, TypedDict

from durable_nb import workflow
from durable_nb.notebook.live.forms import Talk, cards, joined, talk_of_definition, talk_of_metadata
from durable_nb.runtime.definition import WorkflowDefinition


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Odd(Enum):
    OBJECT = object()


@dataclass
class Address:
    street: str
    number: int | None
    country: str = "DE"


class Limits(TypedDict, total=False):
    most: int


@workflow.defn
class Talkative:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.signal(description="Approve the order?")
    def approve(self, approved: bool) -> None: ...

    @workflow.signal
    def ship_to(self, address: Address, speed: Speed = Speed.SLOW, note: str | None = None) -> None:
        """Where the parcel goes.

        More about it.
        """

    @workflow.signal
    def stop(self) -> None: ...

    @workflow.update
    def rate(self, stars: Literal[1, 2, 3], limits: Limits, weight: float, odd: Odd, anything: Any) -> int:
        return stars

    @workflow.query
    def state(self) -> str:
        return ""


@workflow.defn
class Loose:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.signal
    def any_number(self, *args: int) -> None: ...


def form(talk: Talk, name: str) -> dict[str, Any]:
    return next(form for forms in talk for form in forms if form["name"] == name)


def fields(talk: Talk, name: str) -> list[tuple[str, str, bool]]:
    return [(field["name"], field["kind"], field["required"]) for field in form(talk, name)["fields"]]


TALK = talk_of_definition(WorkflowDefinition.must_from_class(Talkative))


def test_each_argument_is_a_field_of_its_type() -> None:
    assert fields(TALK, "approve") == [("approved", "bool", True)]
    assert fields(TALK, "ship_to") == [("address", "object", True), ("speed", "enum", False), ("note", "str", False)]
    assert fields(TALK, "stop") == []
    assert fields(TALK, "rate") == [
        ("stars", "enum", True), ("limits", "object", True), ("weight", "float", True), ("odd", "json", True),
        ("anything", "json", True),
    ]  # fmt: skip


def test_fields_of_a_dataclass_stand_in_a_group_with_their_defaults() -> None:
    address = form(TALK, "ship_to")["fields"][0]
    assert [(part["name"], part["kind"], part["required"], part.get("default")) for part in address["fields"]] == [
        ("street", "str", True, None), ("number", "int", False, None), ("country", "str", False, "DE"),
    ]  # fmt: skip


def test_choices_have_labels_and_the_values_that_are_sent() -> None:
    assert form(TALK, "ship_to")["fields"][1]["options"] == [
        {"label": "SLOW", "value": "slow"}, {"label": "FAST", "value": "fast"},
    ]  # fmt: skip
    assert [option["value"] for option in form(TALK, "rate")["fields"][0]["options"]] == [1, 2, 3]


def test_a_description_is_that_of_the_decorator_or_the_first_line_of_the_docstring() -> None:
    assert form(TALK, "approve")["description"] == "Approve the order?"
    assert form(TALK, "ship_to")["description"] == "Where the parcel goes."
    assert form(TALK, "stop")["description"] == ""


def test_arguments_that_cannot_be_counted_are_taken_as_json() -> None:
    loose = talk_of_definition(WorkflowDefinition.must_from_class(Loose))
    assert form(loose, "any_number")["free"]
    assert not form(TALK, "stop")["free"]


def test_a_workflow_whose_code_is_elsewhere_tells_its_handlers_by_name() -> None:
    metadata = {
        "definition": {
            "signalDefinitions": [{"name": "approve", "description": "<b>?"}],
            "queryDefinitions": [{"name": "__stack_trace", "description": ""}],
        }
    }
    talk = talk_of_metadata(metadata)
    assert [form["name"] for form in talk.signals] == ["approve"]
    assert talk.queries == talk.updates == []
    assert form(talk, "approve")["free"]
    assert talk_of_metadata({}) == Talk([], [], [])
    both = joined(
        TALK, talk_of_metadata({"definition": {"signalDefinitions": [{"name": "approve"}, {"name": "late"}]}})
    )
    assert [form["name"] for form in both.signals].count("approve") == 1
    assert form(both, "late")["free"]


def test_a_card_offers_what_was_described_and_only_while_the_run_waits() -> None:
    assert cards(TALK, waits=False) == []
    assert [form["name"] for form in cards(TALK, waits=True)] == ["approve"]
    documented = Talk([form for form in TALK.signals if not form["described"]], [], [])
    assert [form["name"] for form in cards(documented, waits=True)] == ["ship_to"]
    plain = Talk([{"name": "go", "description": ""}], [], [])
    assert [form["name"] for form in cards(plain, waits=True)] == ["go"]
