"""The console: what developers and operators see of every stage of a recommendation."""

# Imported for the pages that they add to the blueprint.
from webapp.console import login, lookups, overview, stages  # noqa: F401
from webapp.console.blueprint import blueprint
from webapp.console.state import install, publisher

__all__ = ["blueprint", "install", "publisher"]
