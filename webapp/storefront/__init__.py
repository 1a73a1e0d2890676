"""The shop: what shoppers see."""

from webapp.storefront.blueprint import blueprint

__all__ = ["blueprint"]
