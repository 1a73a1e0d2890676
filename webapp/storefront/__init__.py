"""The shop: what shoppers see."""

# Imported for the pages that they add to the blueprint.
from webapp.storefront import account, browse, cart, checkout, history, home, product, profile  # noqa: F401
from webapp.storefront.blueprint import blueprint

__all__ = ["blueprint"]
