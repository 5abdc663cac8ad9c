"""Hallway. Values of settings: how they are written in the environment, and what is allowed."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

ALIASES = {
    "view": "click",
    "product_viewed": "click",
    "Product Viewed": "click",
    "view_item": "click",
    "addtocart": "add_to_cart",
    "product_added": "add_to_cart",
    "Product Added": "add_to_cart",
    "buy": "purchase",
    "order": "purchase",
    "transaction": "purchase",
    "Order Completed": "purchase",
}


def _names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(",") if name.strip()]


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): text.strip() for name, _, text in parts}


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
Weights = Annotated[dict[str, float], NoDecode, BeforeValidator(_pairs)]
Labels = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,200}$")]
KeyPrefix = Annotated[str, Field(pattern=r"^[^{}\s]{1,100}$")]
