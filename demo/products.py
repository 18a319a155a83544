"""What the shop sells: gear for cycling and the outdoors. Prices in euros."""

from __future__ import annotations

from dataclasses import dataclass

SHOP_URL = "https://www.fietsenbos.example"
SHOP_NAME = "Fiets & Bos"


@dataclass(frozen=True)
class Product:
    """A thing for sale; `weight` says how often it is looked at."""

    sku: str
    name: str
    category: str
    price: float
    weight: int

    @property
    def path(self) -> str:
        """Return its page."""
        return f"/p/{self.sku.lower()}"

    def line(self, quantity: int = 1) -> dict[str, object]:
        """Return it as a line of an order."""
        return {
            "product_id": self.sku,
            "name": self.name,
            "category": self.category,
            "price": self.price,
            "quantity": quantity,
        }


PRODUCTS = [
    Product("FB-1001", "Trekking bike Veluwe 28", "Bikes", 899.0, 6),
    Product("FB-1002", "City bike Gracht 7-speed", "Bikes", 649.0, 7),
    Product("FB-1003", "E-bike Polder 500 Wh", "Bikes", 2149.0, 9),
    Product("FB-1004", "Gravel bike Hei", "Bikes", 1599.0, 5),
    Product("FB-1005", "Children's bike Spruit 20", "Bikes", 279.0, 4),
    Product("FB-2001", "Pannier Waterdicht 20 l", "Bags", 64.95, 12),
    Product("FB-2002", "Double pannier Markt 46 l", "Bags", 89.95, 9),
    Product("FB-2003", "Handlebar bag Kompas", "Bags", 39.95, 8),
    Product("FB-2004", "Daypack Duin 22 l", "Bags", 74.95, 7),
    Product("FB-2005", "Trekking pack Ardennes 55 l", "Bags", 169.0, 5),
    Product("FB-3001", "Rain jacket Buienradar", "Clothing", 119.0, 13),
    Product("FB-3002", "Rain trousers Stroom", "Clothing", 69.95, 9),
    Product("FB-3003", "Merino base layer", "Clothing", 59.95, 8),
    Product("FB-3004", "Cycling gloves Winter", "Clothing", 34.95, 10),
    Product("FB-3005", "Softshell Eifel", "Clothing", 139.0, 6),
    Product("FB-3006", "Beanie Wad", "Clothing", 24.95, 6),
    Product("FB-3007", "Walking socks, 2 pairs", "Clothing", 19.95, 11),
    Product("FB-4001", "Tent Hoge Kempen 2", "Camping", 329.0, 6),
    Product("FB-4002", "Sleeping bag Nacht 0°C", "Camping", 149.0, 6),
    Product("FB-4003", "Sleeping mat Licht", "Camping", 89.95, 7),
    Product("FB-4004", "Stove Vlam with pan", "Camping", 54.95, 6),
    Product("FB-4005", "Headlamp 350 lm", "Camping", 39.95, 9),
    Product("FB-4006", "Water filter Bron", "Camping", 44.95, 4),
    Product("FB-5001", "Puncture kit", "Parts", 7.95, 15),
    Product("FB-5002", "Inner tube 28, French valve", "Parts", 6.5, 16),
    Product("FB-5003", "Tyre Marathon 28", "Parts", 34.95, 10),
    Product("FB-5004", "Light set USB-C", "Parts", 29.95, 14),
    Product("FB-5005", "Chain 9-speed", "Parts", 22.5, 8),
    Product("FB-5006", "Brake pads, pair", "Parts", 11.95, 9),
    Product("FB-5007", "Lock ART-2 chain", "Parts", 59.95, 11),
    Product("FB-5008", "Floor pump", "Parts", 32.95, 8),
    Product("FB-5009", "Multitool 17", "Parts", 27.95, 9),
    Product("FB-6001", "Helmet Stad", "Safety", 79.95, 9),
    Product("FB-6002", "Children's helmet", "Safety", 44.95, 5),
    Product("FB-6003", "Reflective vest", "Safety", 14.95, 7),
    Product("FB-6004", "Bell Ding", "Safety", 9.95, 7),
    Product("FB-7001", "Service: big check-up", "Service", 89.0, 5),
    Product("FB-7002", "Gift card", "Service", 50.0, 5),
]
WEIGHTS = [product.weight for product in PRODUCTS]
CATEGORIES = sorted({product.category for product in PRODUCTS})
#: how busy each month is, January first: spring sells bikes and tents, November and December gifts and lights
MONTHS = (7, 7, 9, 12, 13, 12, 9, 8, 10, 10, 14, 15)
#: how busy each hour of the day is
HOURS = (1, 0, 0, 0, 0, 1, 3, 6, 8, 8, 8, 8, 10, 8, 7, 7, 7, 8, 9, 12, 15, 15, 10, 4)
CAMPAIGNS = (
    {"name": "autumn-newsletter", "source": "newsletter", "medium": "email"},
    {"name": "brand", "source": "search", "medium": "cpc"},
    {"name": "spring-tents", "source": "social", "medium": "paid"},
)
