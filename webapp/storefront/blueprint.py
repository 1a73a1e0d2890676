"""The blueprint of the shop; importing the view modules registers their pages."""

from flask import Blueprint

blueprint = Blueprint("shop", __name__)

from webapp.storefront import account, views  # noqa: E402, F401 - they need `blueprint`
