"""Activities of the simulated shop: what each returns. How attempts go is told by ``behaviour``."""

from __future__ import annotations

from dataclasses import dataclass

from durable_nb import activity


@dataclass
class Order:
    """What a customer bought."""

    order_id: str
    customer: str
    amount: float
    """Euro."""
    parcels: int = 1
    address: str = "Main Street 1"
    coupon: str = ""


@dataclass
class Receipt:
    """A payment."""

    order_id: str
    amount: float


@activity.defn
def check_stock(order: Order) -> bool:
    return order.parcels > 0


@activity.defn
def check_fraud(order: Order) -> float:
    return round(order.amount % 97 / 97, 3)


@activity.defn
def charge_card(order: Order) -> Receipt:
    return Receipt(order.order_id, order.amount)


@activity.defn
def refund_card(receipt: Receipt) -> None:
    """Give the money back."""


@activity.defn
def send_mail(customer: str, text: str) -> None:
    """One mail."""


@activity.defn
def pack_parcel(order_id: str, number: int) -> str:
    return f"{order_id}/{number}"


@activity.defn
def book_carrier(parcel: str, address: str) -> str:
    return f"T-{len(parcel) * 7919 + len(address)}"


@activity.defn
def download_file(name: str) -> int:
    return 1_000 + len(name) * 911


@activity.defn
def parse_rows(name: str, size: int) -> int:
    return size // 12


@activity.defn
def load_rows(name: str, rows: int) -> int:
    return rows


@activity.defn
def aggregate_region(day: str, region: str) -> dict[str, float]:
    return {region: float(len(region) * 1_000)}


@activity.defn
def render_report(day: str, totals: dict[str, float]) -> str:
    return f"report-{day}.html"


@activity.defn
def train_epoch(model: str, epoch: int) -> float:
    return round(1 / (epoch + 1), 4)


@activity.defn
def publish_model(model: str, loss: float) -> str:
    return f"{model}@{loss}"


@activity.defn
def renew_subscription(customer: str, period: int) -> Receipt:
    return Receipt(f"{customer}-{period}", 9.99)


ACTIVITIES = (
    check_stock,
    check_fraud,
    charge_card,
    refund_card,
    send_mail,
    pack_parcel,
    book_carrier,
    download_file,
    parse_rows,
    load_rows,
    aggregate_region,
    render_report,
    train_epoch,
    publish_model,
    renew_subscription,
)
