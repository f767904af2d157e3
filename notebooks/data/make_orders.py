"""Writes orders.csv: ``python notebooks/data/make_orders.py``. The same seed makes the same file, byte for byte.

One row for each item of an order, so an order is a group of rows with the same ``order_id``. Prices are cents.
Five orders go to Atlantis, where no carrier goes: they must end refunded.
"""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 20261123
ORDERS = 600
COLUMNS = "order_id ordered_at customer_id customer city country sku item quantity unit_price_cents".split()

CUSTOMERS = [
    ("Zoë Müller", "Zürich", "CH"),
    ("José Álvarez", "Sevilla", "ES"),
    ("Łukasz Wójcik", "Łódź", "PL"),
    ("王小明", "上海", "CN"),
    ("佐藤 花子", "大阪", "JP"),
    ("김민준", "부산", "KR"),
    ("Αθηνά Παπαδοπούλου", "Θεσσαλονίκη", "GR"),
    ("Ольга Іваненко", "Київ", "UA"),
    ("محمد الهاشمي", "دبي", "AE"),
    ("נועה לוי", "חיפה", "IL"),
    ("अनन्या शर्मा", "पुणे", "IN"),
    ("Nguyễn Thị Hạnh", "Đà Nẵng", "VN"),
    ("Siân O’Connor", "Cork", "IE"),
    ("Åsa Sjöström", "Malmö", "SE"),
    ("Çağla Yılmaz", "İzmir", "TR"),
    ("Jürgen Groß", "Köln", "DE"),
    ("Amélie Lefèvre", "Orléans", "FR"),
    ("Grace Okafor", "Lagos", "NG"),
    ("John Smith", "Leeds", "GB"),
    ("Mia Johnson", "Austin", "US"),
    ("Tāne Ngata", "Ōtautahi", "NZ"),
    ("Ana Luísa Conceição", "São Paulo", "BR"),
    ("Þórdís Jónsdóttir", "Akureyri", "IS"),
    ("Nino Beridze 🦊", "თბილისი", "GE"),
]

ITEMS = [
    ("LAMP-01", "Desk lamp “Øyeblikk”", 4990),
    ("MUG-07", "Mug, 0.3 l", 1250),
    ("BOOK-42", "Notebook, A5, dotted", 890),
    ("TEA-11", "Genmaicha 玄米茶, 100 g", 1480),
    ("PEN-03", "Fountain pen, fine", 3600),
    ("BAG-09", "Canvas bag", 2400),
    ("CHAIR-2", "Folding chair", 7900),
    ("SOAP-05", "Savon de Marseille", 640),
    ("CLOCK-8", "Alarm clock", 5590),
    ("SOCK-12", "Wool socks, pair", 1990),
    ("PUZZLE-1", "Puzzle, 1,000 pieces", 2790),
    ("CABLE-3", "USB-C cable, 2 m", 1590),
]


def rows() -> list[list[object]]:
    """All rows in the order of the file."""
    draw = random.Random(SEED)
    moment = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    lines: list[list[object]] = []
    atlantis = set(draw.sample(range(ORDERS), 5))
    for number in range(ORDERS):
        moment += timedelta(seconds=draw.expovariate(1 / 900))
        place = draw.randrange(len(CUSTOMERS))
        customer, city, country = CUSTOMERS[place]
        if number in atlantis:
            city, country = "Poseidonis", "Atlantis"
        for sku, item, price in draw.sample(ITEMS, draw.choices([1, 2, 3, 4], [50, 28, 15, 7])[0]):
            quantity = draw.choices([1, 2, 3, 6], [70, 18, 8, 4])[0]
            head = [f"order-{number + 1:04d}", f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"C{1000 + place}"]
            lines.append([*head, customer, city, country, sku, item, quantity, price])
    return lines


if __name__ == "__main__":
    with (Path(__file__).parent / "orders.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows())
