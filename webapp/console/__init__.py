"""The console: what developers and operators see of every stage of a recommendation."""

from webapp.console.blueprint import blueprint
from webapp.console.state import install, publisher

__all__ = ["blueprint", "install", "publisher"]
