"""Who calls the simulated shop: when workflows are started, and what callers do to them afterwards."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from durable_nb.core import closing, requests
from durable_nb.model.attributes import RetryPolicyAttributes
from durable_nb.model.payload import Payload
from durable_nb.model.requests import SignalInput, StartWorkflow
from durable_nb.model.tasks import UpdateRequest
from durable_nb.testing._simulation.behaviour import DAY, HOUR, MINUTE, SECOND
from durable_nb.testing._simulation.shop import NEEDS_APPROVAL
from durable_nb.testing._simulation.shop_activities import Order

if TYPE_CHECKING:
    from durable_nb.testing._simulation.world import SimulatedRun, World

DAYS = 14
SHARES = {"OrderWorkflow": 0.62, "ImportFile": 0.26, "Subscription": 0.075, "DailyReport": 0.03, "TrainModel": 0.015}
"""Of the workflows that are started from outside."""

CUSTOMERS = 400
OPERATOR = "ops@desk"
BAD_COUPON = (4 * 24 + 15.0, 4 * 24 + 21.0)
"""Hours in which a coupon was given out that the code of the first week does not know."""


class People:
    """Plans all calls of two weeks; each run's later calls are planned when it starts."""

    def __init__(self, world: World, workflows: int) -> None:
        self._world = world
        self._random = world.random
        self._orders: dict[str, Order] = {}
        world.on_start = self._greet
        hours = [_traffic(hour) for hour in range(DAYS * 24)]
        cumulative = list(accumulate(hours))
        for number in range(workflows):
            hour = self._random.choices(range(DAYS * 24), cum_weights=cumulative)[0]
            instant = world.started_at + hour * HOUR + self._random.randrange(HOUR)
            kind = self._random.choices(list(SHARES), weights=list(SHARES.values()))[0]
            world.at(instant, getattr(self, f"_start_{kind}"), number)

    # -- starts ----------------------------------------------------------------------------------------------------

    def _start_OrderWorkflow(self, number: int) -> None:  # noqa: N802 - named by the workflow type
        world, random = self._world, self._random
        customer = f"customer-{min(int(random.expovariate(1 / 60)), CUSTOMERS)}"
        coupon = random.choices(["", "SPRING", "FRIEND"], weights=[0.85, 0.1, 0.05])[0]
        if BAD_COUPON[0] <= world.hour < BAD_COUPON[1] and random.random() < 0.25:
            coupon = "SUMMER"
        order = Order(
            f"order-{number:06d}",
            customer,
            round(45 * math.exp(random.gauss(0.0, 1.2)), 2),
            random.choices([1, 2, 3], weights=[0.8, 0.15, 0.05])[0],
            f"{random.choice(['Main Street', 'Mill Lane', 'Harbour Road'])} {random.randrange(1, 90)}",
            coupon,
        )
        self._orders[order.order_id] = order
        self._start("OrderWorkflow", order.order_id, "orders", order, memo={"customer": self._payload(customer)})

    def _start_ImportFile(self, number: int) -> None:  # noqa: N802
        partner = self._random.choice(["alpha", "beta", "gamma", "delta"])
        policy = RetryPolicyAttributes(60 * SECOND, 2.0, 100 * 60 * SECOND, 3)
        self._start("ImportFile", f"import-{number:06d}", "imports", f"{partner}-{number}.csv", retry_policy=policy)

    def _start_Subscription(self, number: int) -> None:  # noqa: N802
        last = self._random.randrange(1, 5)
        self._start("Subscription", f"subscription-{number:06d}", "orders", f"customer-{number}", 1, last)

    def _start_DailyReport(self, number: int) -> None:  # noqa: N802
        day = f"day-{int(self._world.hour // 24)}"
        self._start("DailyReport", f"report-{number:06d}", "reports", day, run_timeout=20 * MINUTE)

    def _start_TrainModel(self, number: int) -> None:  # noqa: N802
        epochs = self._random.randrange(2, 6)
        self._start("TrainModel", f"training-{number:06d}", "ml", f"model-{number}", epochs)

    def _start(self, kind: str, workflow_id: str, queue: str, *arguments: Any, **options: Any) -> None:
        given = self._world.code.converter.to_payloads(arguments)
        identity = self._world.fleet.front.plan.identity
        self._world.start(StartWorkflow("default", workflow_id, kind, queue, given, identity=identity, **options))

    def _payload(self, value: Any) -> Payload:
        return self._world.code.converter.to_payloads([value])[0]

    # -- afterwards ------------------------------------------------------------------------------------------------

    def _greet(self, run: SimulatedRun) -> None:
        """Plan what callers will do to a run that has just started."""
        kind, workflow_id = run.state.started.workflow_type, run.state.workflow_id
        if kind == "OrderWorkflow":
            self._plan_order(workflow_id, self._orders.pop(workflow_id))
        elif kind == "ShipmentWorkflow":
            self._plan_scans(workflow_id)
        elif kind in {"TrainModel", "DailyReport"} and self._random.random() < 0.1:
            self._later(workflow_id, self._random.randrange(HOUR), self._cancel)

    def _plan_order(self, workflow_id: str, order: Order) -> None:
        random = self._random
        if order.coupon == "SUMMER":
            self._later(workflow_id, random.randrange(10 * MINUTE, 50 * MINUTE), self._terminate)
        if order.amount > NEEDS_APPROVAL and random.random() < 0.9:
            wait = int(HOUR * math.exp(random.gauss(0.3, 1.1)))
            self._later(workflow_id, wait, self._signal, "approve", random.random() < 0.94)
        if random.random() < 0.06:
            address = "" if random.random() < 0.15 else f"Station Road {random.randrange(1, 50)}"
            self._later(workflow_id, random.randrange(1, 40 * MINUTE), self._update, "change_address", address)
        if random.random() < 0.03:
            self._later(workflow_id, random.randrange(1, 90 * MINUTE), self._cancel)

    def _plan_scans(self, workflow_id: str) -> None:
        random = self._random
        when = 0
        places = [f"depot-{random.randrange(1, 9)}" for _ in range(random.randrange(0, 3))]
        if random.random() < 0.985:
            places.append("delivered")
        for place in places:
            when += random.randrange(2 * HOUR, 20 * HOUR)
            self._later(workflow_id, when, self._signal, "scan", place)

    def _later(self, workflow_id: str, wait: int, call: Any, *args: Any) -> None:
        self._world.at(self._world.now + wait, call, workflow_id, *args)

    def _signal(self, workflow_id: str, name: str, *arguments: Any) -> None:
        given = self._world.code.converter.to_payloads(arguments)
        identity = self._world.fleet.front.plan.identity
        self._world.tell(workflow_id, lambda tx: requests.signal(tx, SignalInput(name, given), identity))

    def _update(self, workflow_id: str, name: str, *arguments: Any) -> None:
        given = self._world.code.converter.to_payloads(arguments)
        update_id = f"{name}-{self._random.getrandbits(32):08x}"
        self._world.update(workflow_id, UpdateRequest(update_id, name, given, {}, OPERATOR))

    def _cancel(self, workflow_id: str) -> None:
        self._world.tell(workflow_id, lambda tx: requests.request_cancel(tx, "the customer changed her mind", OPERATOR))

    def _terminate(self, workflow_id: str) -> None:
        self._world.tell(workflow_id, lambda tx: closing.terminate(tx, "unknown coupon", None, OPERATOR))


def _traffic(hour: int) -> float:
    """Weight of an hour: quiet nights, a peak at noon and one in the evening, weekends at two thirds."""
    of_day, day = hour % 24, hour * HOUR // DAY
    wave = 0.15 + math.exp(-(((of_day - 12) / 3.2) ** 2)) + 1.2 * math.exp(-(((of_day - 20) / 2.0) ** 2))
    return wave * (0.66 if day % 7 >= 5 else 1.0)
