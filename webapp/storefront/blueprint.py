"""The blueprint of the shop: the modules of this package add their pages to it."""

from flask import Blueprint

blueprint = Blueprint("shop", __name__)
