"""How attempts of the simulated shop go: how long they take, how often they fail and in which words, and when.

All numbers are guesses at an ordinary shop; three incidents make the two weeks worth asking about: the card service
refuses most calls on day 5, the warehouse is closed for a day on day 9, files of a partner are broken on day 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from durable_nb.exceptions import ApplicationError

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

HANGS = "hangs"
"""Instead of an error: the attempt never reports, and a timeout ends it."""


@dataclass(frozen=True)
class Fault:
    """One way to fail. ``share`` is the probability per attempt."""

    share: float
    error: type[Exception] | str
    """An exception, ``HANGS``, or the type of an ApplicationError that is not retried."""
    message: str = ""


@dataclass(frozen=True)
class Incident:
    """From hour ``begin`` to hour ``end`` of the simulation these faults come on top."""

    begin: float
    end: float
    faults: tuple[Fault, ...]
    slower: float = 1.0


@dataclass(frozen=True)
class Behaviour:
    """Attempts of one activity type: log-normal with this median (seconds) and spread."""

    median: float
    spread: float = 0.5
    faults: tuple[Fault, ...] = ()
    incidents: tuple[Incident, ...] = ()
    heartbeat: float = 0.0
    """Seconds between heartbeats; 0 for none."""


_BUSY = Fault(0.02, ConnectionError, "the service is busy, try again")
BEHAVIOURS: dict[str, Behaviour] = {
    "check_stock": Behaviour(0.12, 0.6, (Fault(0.01, TimeoutError, "no answer from the stock database"),)),
    "check_fraud": Behaviour(0.9, 0.8, (Fault(0.03, ConnectionError, "fraud service: 503"), Fault(0.004, HANGS))),
    "charge_card": Behaviour(
        1.4,
        0.7,
        (_BUSY, Fault(0.012, "CardDeclined", "the bank declined the card"), Fault(0.003, HANGS)),
        (Incident(5 * 24 + 13, 5 * 24 + 17, (Fault(0.72, ConnectionError, "card service: 503"),), slower=3.0),),
    ),
    "refund_card": Behaviour(1.8, 0.6, (_BUSY,)),
    "send_mail": Behaviour(0.4, 0.5, (Fault(0.015, ConnectionError, "the mail server closed the connection"),)),
    "pack_parcel": Behaviour(240.0, 0.6, (Fault(0.008, RuntimeError, "the shelf is empty"),)),
    "book_carrier": Behaviour(6.0, 0.9, (Fault(0.05, ConnectionError, "carrier: too many requests"),)),
    "download_file": Behaviour(
        9.0,
        1.0,
        (Fault(0.16, ConnectionError, "connection reset by peer"), Fault(0.03, HANGS)),
        (Incident(11 * 24 + 2, 11 * 24 + 9, (Fault(0.75, OSError, "checksum does not match"),)),),
    ),
    "parse_rows": Behaviour(22.0, 0.7, (Fault(0.02, ValueError, "row 17 has 11 columns, expected 12"),)),
    "load_rows": Behaviour(35.0, 0.8, (Fault(0.03, RuntimeError, "deadlock detected"),)),
    "aggregate_region": Behaviour(180.0, 0.9, (Fault(0.02, MemoryError, "out of memory"),)),
    "render_report": Behaviour(14.0, 0.4),
    "train_epoch": Behaviour(
        1500.0, 0.45, (Fault(0.04, RuntimeError, "CUDA error: device-side assert"), Fault(0.02, HANGS)), heartbeat=300.0
    ),
    "publish_model": Behaviour(20.0, 0.4),
    "renew_subscription": Behaviour(1.1, 0.6, (_BUSY, Fault(0.005, "CardDeclined", "the card has expired"))),
}


def draw(random: Random, activity_type: str, hour: float) -> tuple[int, Exception | str | None]:
    """Microseconds that an attempt takes and what it ends with: None for a result, an exception, or ``HANGS``."""
    behaviour = BEHAVIOURS[activity_type]
    faults, slower = list(behaviour.faults), 1.0
    for incident in behaviour.incidents:
        if incident.begin <= hour < incident.end:
            faults = [*incident.faults, *faults]
            slower = incident.slower
    seconds = behaviour.median * slower * math.exp(random.gauss(0.0, behaviour.spread))
    luck = random.random()
    for fault in faults:
        luck -= fault.share
        if luck < 0:
            # Most failures come early: a refused connection is quicker than an answer.
            return max(int(seconds * random.uniform(0.1, 0.9) * SECOND), 1000), _ending(fault)
    return max(int(seconds * SECOND), 1000), None


def heartbeat_of(activity_type: str) -> int:
    """Microseconds between heartbeats of an activity type; 0 for none."""
    return int(BEHAVIOURS[activity_type].heartbeat * SECOND)


def _ending(fault: Fault) -> Exception | str:
    if fault.error == HANGS:
        return HANGS
    if isinstance(fault.error, str):
        return ApplicationError(fault.message, type=fault.error, non_retryable=True)
    return fault.error(fault.message)
