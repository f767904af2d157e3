"""Two histories side by side: steps, pairs, and the first difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.core.alignment import Step, align, parting, steps_of
from durable_nb.model.attributes import TimerStarted, WorkflowExecutionCompleted
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from tests.core.world import SECOND, World, activity, text


def step(name: str, at: int = 1, **options) -> Step:
    return Step("activity", name, at, 0, end_event_id=at + 1, **{"outcome": "completed", **options})


def names(pairs) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(p.left.name if p.left else "", p.right.name if p.right else "", p.differs) for p in pairs]


def two_steps(first: str = "x", delay: int = 0) -> World:
    world = World().start(input=text("in"))
    world.task(activity("1", activity_type="charge", input=text(first)))
    world.now += delay
    world.complete_activity("1")
    world.task(activity("2", activity_type="ship"), TimerStarted("t", 5 * SECOND))
    world.complete_activity("2")
    world.task(WorkflowExecutionCompleted(text("done")))
    return world


def test_a_step_is_what_the_code_asked_for_with_its_outcome():
    steps = steps_of(two_steps().events)
    assert [(s.kind, s.name, s.ident, s.outcome) for s in steps] == [
        ("workflow", "W", "", "completed"),
        ("activity", "charge", "1", "completed"),
        ("activity", "ship", "2", "completed"),
        ("timer", "5 s", "t", "pending"),
    ]
    assert (steps[0].input, steps[0].result) == (text("in"), text("done"))
    assert (steps[1].event_id, steps[1].end_event_id) == (5, 7)


def test_the_same_at_another_speed_is_the_same():
    pairs = align(steps_of(two_steps().events), steps_of(two_steps(delay=7 * SECOND).events))
    assert parting(pairs) is None
    assert all(not pair.differs for pair in pairs)


def test_another_input_is_where_they_part():
    pairs = align(steps_of(two_steps().events), steps_of(two_steps("y").events))
    found = parting(pairs)
    assert (found.step.name, found.differs) == ("charge", ("input",))


def test_an_inserted_step_shifts_nothing():
    pairs = align([step("a"), step("b", 5)], [step("a"), step("new", 3), step("b", 7)])
    assert names(pairs) == [("a", "a", ()), ("", "new", ("only right",)), ("b", "b", ())]
    assert parting(pairs).right.name == "new"


def test_a_step_at_another_place_is_moved_and_not_two_differences():
    pairs = align([step("a"), step("b", 3), step("c", 5)], [step("b"), step("c", 3), step("a", 5)])
    assert names(pairs) == [("a", "a", ("moved",)), ("b", "b", ()), ("c", "c", ())]


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"outcome": "failed", "failure": Failure("x")}, ("outcome",)),
        ({"result": text("other")}, ("result",)),
        ({"input": text("other"), "result": text("other")}, ("input", "result")),
    ],
)
def test_what_differs_is_named(options, differs):
    assert align([step("a")], [step("a", **options)])[0].differs == differs


def test_failures_are_compared_by_what_they_say_and_not_by_their_stacks():
    def failed(stack: str) -> Step:
        failure = Failure("down", stack_trace=stack, application_failure_info=ApplicationFailureInfo("Down"))
        return step("a", outcome="failed", failure=failure)

    assert align([failed("one")], [failed("two")])[0].differs == ()


def test_the_earliest_difference_counts_wherever_its_step_began():
    left = [Step("activity", "slow", 5, 0, outcome="completed", end_event_id=50), step("quick", 6)]
    right = [Step("activity", "slow", 5, 0, outcome="failed", end_event_id=50), step("quick", 6), step("more", 20)]
    assert parting(align(left, right)).step.name == "more"


def test_the_end_of_the_workflow_is_a_consequence():
    pairs = align(
        [Step("workflow", "W", 1, 0, outcome="completed", end_event_id=9), step("a", 20)],
        [Step("workflow", "W", 1, 0, outcome="failed", end_event_id=9), step("a", 20, result=text("x"))],
    )
    assert parting(pairs).step.name == "a"


LETTERS = st.lists(st.sampled_from("abc"), max_size=12)


@given(LETTERS, LETTERS)
def test_every_step_is_in_exactly_one_pair(left, right):
    ours = [step(name, at) for at, name in enumerate(left, 1)]
    theirs = [step(name, at) for at, name in enumerate(right, 1)]
    pairs = align(ours, theirs)
    assert sorted(id(p.left) for p in pairs if p.left) == sorted(map(id, ours))
    assert sorted(id(p.right) for p in pairs if p.right) == sorted(map(id, theirs))
    assert all(p.left.key == p.right.key for p in pairs if p.left and p.right)
    assert (parting(pairs) is None) == (left == right)


def test_thousands_of_equal_steps_are_aligned_at_once():
    ours = [step("same", at) for at in range(1, 5001)]
    assert len(align(ours, [*ours, step("same", 9999)])) == 5001
