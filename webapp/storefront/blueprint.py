"""The blueprint of the shop; importing the view modules registers their pages."""

from flask import Blueprint

blueprint = Blueprint("shop", __name__)

from webapp.storefront import (  # noqa: E402, F401 - they need `blueprint`
    account,
    browse,
    cart,
    checkout,
    history,
    home,
    product,
    profile,
)
