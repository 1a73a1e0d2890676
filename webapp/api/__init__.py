"""The REST API: `/api/v1`, its OpenAPI document and the page that shows it."""

from webapp.api.blueprint import blueprint, install

__all__ = ["blueprint", "install"]
