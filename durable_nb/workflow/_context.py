"""What workflow code can ask and do that is not an activity, child or handler (temporal-semantics 2.5, 2.6, 3.12)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, overload

from durable_nb.converter import PayloadConverter
from durable_nb.metric_meter import MetricMeter
from durable_nb.runtime import conditions as _conditions
from durable_nb.runtime import patches as _patches
from durable_nb.runtime import upserts as _upserts
from durable_nb.runtime.handles import arg_unset
from durable_nb.runtime.info import Info, UpdateInfo, current_update
from durable_nb.runtime.loop import current, maybe_current
from durable_nb.runtime.run_info import instant
from durable_nb.runtime.starting import refuse_groups
from durable_nb.search_attributes import SearchAttributes, SearchAttributeUpdate

if TYPE_CHECKING:
    from durable_nb.workflow._typing import AnyType, ParamType


def info() -> Info:
    """The run that calls.

    Raises
    ------
    NotInWorkflowEventLoopError
        The caller is not workflow code; so do all functions here unless they say otherwise.
    """
    return current().outbound.info()


def in_workflow() -> bool:
    """Whether the caller is workflow code. Never raises."""
    return maybe_current() is not None


def instance() -> Any:
    """The workflow object; None in ``__init__`` and for a workflow that is a function."""
    return current().workflow_object


def current_update_info() -> UpdateInfo | None:
    """The update that the calling code handles, None outside update handlers. Never raises."""
    return current_update.get()


def cancellation_reason() -> str | None:
    """Reason given with the request to cancel this workflow; None when there was no request."""
    return current().cancel_reason


def is_failure_exception(err: BaseException) -> bool:
    """Whether an exception would fail the workflow, rather than the workflow task."""
    return current().is_failure_exception(err)


def extern_functions() -> Mapping[str, Callable[..., Any]]:
    """Functions that interceptors of the worker lend to workflow code."""
    return current().options.extern_functions


def payload_converter() -> PayloadConverter:
    """Converter of values, for dynamic handlers."""
    return current().converter


def metric_meter() -> MetricMeter:
    """A meter that records nothing."""
    current()
    return MetricMeter.noop


# -- time, randomness, ids -----------------------------------------------------------------------------------------


def now() -> datetime:
    """Workflow time, aware, UTC: when the current workflow task started. Constant within a step."""
    return instant(current().time_us)


def time() -> float:
    """Workflow time in seconds since the epoch."""
    # Divided from nanoseconds, as Temporal does: the last digit differs, and ids may be made of it.
    return current().time_us * 1000 / 1e9


def time_ns() -> int:
    """Workflow time in nanoseconds since the epoch."""
    return current().time_us * 1000


def random() -> Random:
    """The run's own random numbers: the same in every replay. Not allowed in queries and validators."""
    return current().random()


def random_seed() -> int:
    """Seed of the run; a reset changes it."""
    return current().seed


def register_random_seed_callback(callback: Callable[[int], None]) -> None:
    """Call ``callback`` with the new seed when a reset changes it."""
    run = current()
    run.assert_writable("register random seed callback")
    run.seed_callbacks = [*run.seed_callbacks, callback]


def new_random(name: str | None = None) -> Random:
    """Another generator with the run's seed, or with one made of the seed and ``name``; a reset seeds it anew."""

    def seed_for(seed: int) -> int | str:
        return seed if name is None else f"{seed}:{name}"

    generator = Random(seed_for(random_seed()))  # noqa: S311 - must be reproducible
    register_random_seed_callback(lambda seed: generator.seed(seed_for(seed)))
    return generator


def uuid4() -> uuid.UUID:
    """A UUID from the run's random numbers."""
    return uuid.UUID(bytes=random().getrandbits(128).to_bytes(16, "big"), version=4)


def uuid7() -> uuid.UUID:
    """A UUID from workflow time and the run's random numbers: later ones sort behind earlier ones."""
    milliseconds = time_ns() // 1_000_000 & (1 << 48) - 1
    generator = random()
    twelve = generator.getrandbits(12)
    rest = generator.getrandbits(62)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | twelve << 64 | 2 << 62 | rest)


# -- waiting -------------------------------------------------------------------------------------------------------


async def sleep(
    duration: float | timedelta, *, summary: str | None = None, event_groups: Sequence[Any] | None = None
) -> None:
    """Wait for a durable timer.

    Parameters
    ----------
    duration
        Seconds, or a timedelta.
    summary
        One line for people who look at the run.
    """
    refuse_groups(event_groups)
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    await _conditions.sleep(current(), seconds, summary)


async def wait_condition(
    fn: Callable[[], bool],
    *,
    timeout: timedelta | float | None = None,
    timeout_summary: str | None = None,
    event_groups: Sequence[Any] | None = None,
) -> None:
    """Wait until ``fn()`` is true; it is asked whenever the workflow's code has nothing else to do.

    Parameters
    ----------
    fn
        Cheap, and without side effects.
    timeout
        Seconds, or a timedelta: a durable timer. None waits for ever. Adding or removing it is a change that needs
        ``patched``.
    timeout_summary
        One line about that timer for people who look at the run.

    Raises
    ------
    asyncio.TimeoutError
        The timeout passed first.
    """
    refuse_groups(event_groups)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    await _conditions.wait_condition(current(), fn, seconds, timeout_summary)


# -- patches -------------------------------------------------------------------------------------------------------


def patched(id: str, *, event_groups: Sequence[Any] | None = None) -> bool:
    """Whether this run takes a new path in the code; False for runs that passed here before the path existed."""
    refuse_groups(event_groups)
    return _patches.patched(current(), id, deprecated=False)


def deprecate_patch(id: str, *, event_groups: Sequence[Any] | None = None) -> None:
    """Take the place of ``patched`` once no run on the old path is left."""
    refuse_groups(event_groups)
    _patches.patched(current(), id, deprecated=True)


# -- memo, search attributes, details --------------------------------------------------------------------------------


def memo() -> Mapping[str, Any]:
    """All of the memo, converted without hints."""
    return _upserts.memo(current())


@overload
def memo_value(key: str, default: Any = arg_unset) -> Any: ...


@overload
def memo_value(key: str, *, type_hint: type[ParamType]) -> ParamType: ...


@overload
def memo_value(key: str, default: AnyType, *, type_hint: type[ParamType]) -> AnyType | ParamType: ...


def memo_value(key: str, default: Any = arg_unset, *, type_hint: type | None = None) -> Any:
    """One value of the memo.

    Raises
    ------
    KeyError
        There is none and no default.
    """
    return _upserts.memo_value(current(), key, default, type_hint)


def upsert_memo(updates: Mapping[str, Any], *, event_groups: Sequence[Any] | None = None) -> None:
    """Add, replace, or by None remove values of the memo."""
    refuse_groups(event_groups)
    _upserts.upsert_memo(current(), updates)


def upsert_search_attributes(
    attributes: SearchAttributes | Sequence[SearchAttributeUpdate[Any]],
    *,
    event_groups: Sequence[Any] | None = None,
) -> None:
    """Change search attributes: ``[key.value_set(v), other_key.value_unset()]``; the dict form is deprecated."""
    refuse_groups(event_groups)
    if not attributes:
        return
    _upserts.warn_untyped(attributes)
    _upserts.upsert_search_attributes(current(), attributes)


def get_current_details() -> str:
    """Text that ``set_current_details`` set."""
    return current().current_details


def set_current_details(description: str) -> None:
    """Text about where the workflow stands, for people who look at the run."""
    run = current()
    run.assert_writable("set current details")
    run.current_details = description


# -- earlier runs ----------------------------------------------------------------------------------------------------


def has_last_completion_result() -> bool:
    """Whether the run before this one, of a cron or schedule, left a result."""
    return bool(current().started.last_completion_result)


@overload
def get_last_completion_result() -> Any | None: ...


@overload
def get_last_completion_result(type_hint: type[ParamType]) -> ParamType | None: ...


def get_last_completion_result(type_hint: type | None = None) -> Any | None:
    """Result of the last run of a cron or schedule that completed; None when there is none."""
    run = current()
    payloads = run.started.last_completion_result
    if not payloads:
        return None
    return run.converter.from_payload(payloads[0], type_hint)


def get_last_failure() -> BaseException | None:
    """How the run before this one, of a cron, schedule or retry, failed; None when it did not."""
    run = current()
    failure = run.started.continued_failure
    return None if failure is None else run.failure_converter.from_failure(failure, run.converter)
