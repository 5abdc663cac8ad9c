"""How the files of well-known data sets are mapped."""

from streamapp.core.histories.event_types import ADD_TO_CART, PURCHASE
from streamapp.errors import ConfigError
from streamapp.importing.mapping import FieldMapping

PRESETS = {
    "rees46": FieldMapping(
        {"item_id": "product_id", "type": "event_type", "ts": "event_time"},
        {"view": "click", "cart": ADD_TO_CART},
    ),
    "otto": FieldMapping(
        {"user_id": "session", "item_id": "aid"},
        {"clicks": "click", "carts": ADD_TO_CART, "orders": PURCHASE},
    ),
    "retailrocket": FieldMapping(
        {
            "user_id": "visitorid",
            "item_id": "itemid",
            "type": "event",
            "ts": "timestamp",
            "order_id": "transactionid",
        },
        {"view": "click", "addtocart": ADD_TO_CART, "transaction": PURCHASE},
    ),
    # `order_products` names no user and no time: the id of the basket is the user id.
    "instacart": FieldMapping(
        {"user_id": "order_id", "item_id": "product_id", "order_id": "order_id", "ts": ""},
        fixed_type=PURCHASE,
    ),
    "hm": FieldMapping(
        {"user_id": "customer_id", "item_id": "article_id", "ts": "t_dat"}, fixed_type=PURCHASE
    ),
}


def preset(name: str) -> FieldMapping:
    """Return the mapping of a data set; that of flat events if `name` is empty.

    Raises:
        ConfigError: there is no such preset.
    """
    if not name:
        return FieldMapping()
    if name not in PRESETS:
        raise ConfigError(f"--preset {name}: one of {', '.join(PRESETS)} is needed")
    return PRESETS[name]
