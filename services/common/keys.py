"""Names of the keys in Redis that services and scripts share: section 4 of docs/architecture.md.

The web tier names its own, which nothing else reads, in `webapp/stores/`, `webapp/console/` and its cache.
"""

from __future__ import annotations

GENERATION = "ecrs:generation"
"""Hash: `users`, `items`, `histories` → the generation number that readers use."""

RELEASE = "ecrs:release"
"""Name of the current release."""

LOADED = "ecrs:loaded"
"""Hash `release`, `data`, `milvus`: what `make up`, `load` and `release` have loaded."""

FORMAT = "ecrs:format"
"""The version of these keys (`scripts.redis_load.upgrade`)."""

CHANGED_ITEMS = "ecrs:changed:i"
"""Stream of writes of items, which search and recall follow: `ids`, a JSON list, in each entry."""

EVENTS_LAST, EVENTS_EXPORTED = "ecrs:ev:last", "ecrs:ev:exported"
"""Numbers of the last live event, and of the last one that `scripts.export_events --archive` has written."""

EVENTS_TO_EXPORT, EVENTS_EXPORTING = "ecrs:ev:new", "ecrs:ev:exporting"
"""Sets of the users with live events that are not exported; the second of those an export is at work on."""

IMPRESSIONS = "ecrs:impressions"
"""Stream of items shown in lists: `user`, `item`, `token` and `at` (ms) in each entry."""

DATASET = "ecrs:dataset"
"""dataset.toml as JSON, of the users and items that are loaded."""

UNAVAILABLE = "ecrs:unavailable"
"""Set of the ids of items that cannot be bought: the one truth about availability."""

LIVE_USERS, LIVE_ITEMS = "ecrs:live:u", "ecrs:live:i"
"""Sorted sets (score 0) of ids written through the services: their rows win over every load's."""

LIVE_AVAILABLE, LIVE_UNAVAILABLE = "ecrs:live:available", "ecrs:live:unavailable"
"""Sets of the item ids whose availability was decided through the item service: no load changes that."""

DELETED_USERS = "ecrs:deleted:u"
"""Set of ids deleted through the user service: no load brings their rows and histories back."""

LOAD = "ecrs:load"
"""Hash: how far the load in progress has come; `generation` is the one that it writes."""

LOAD_LOCK, LOAD_DROPPED = "ecrs:load:lock", "ecrs:load:dropped"
"""Who loads; the ids that the load no longer has, while their keys of the original's go."""

LAST_GENERATION = "ecrs:generation:last"
"""The last generation number given; counted up when a load begins."""

PARTS = ("users", "items", "histories")
"""What is loaded in generations of its own."""


def original_user(user_id: str) -> str:
    """The 2022 system's key of a user: JSON object."""
    return f"{user_id}##user_info"


def original_item(item_id: str) -> str:
    """The 2022 system's key of an item: JSON object."""
    return f"{item_id}##product_info"


def user(generation: str, user_id: str) -> str:
    """A loaded user: JSON object."""
    return f"ecrs:{generation}:u:{user_id}"


def user_ids(generation: str) -> str:
    """Sorted set (score 0) of the loaded users' ids."""
    return f"ecrs:{generation}:uids"


def live_user(user_id: str) -> str:
    """A user written through the user service: JSON object. Read before the loaded one."""
    return f"ecrs:live:u:{user_id}"


def live_item(item_id: str) -> str:
    """An item written through the item service: JSON object. Read before the loaded one."""
    return f"ecrs:live:i:{item_id}"


def item(generation: str, item_id: str) -> str:
    """A loaded item: JSON object."""
    return f"ecrs:{generation}:i:{item_id}"


def item_ids(generation: str) -> str:
    """Sorted set (score 0) of the loaded items' ids."""
    return f"ecrs:{generation}:ids"


def history(generation: str, user_id: str) -> str:
    """A user's loaded history, packed (`services.user.codec`)."""
    return f"ecrs:{generation}:h:{user_id}"


def staged_unavailable(generation: str) -> str:
    """Set of the ids that the load of a generation says cannot be bought."""
    return f"ecrs:{generation}:unavailable"


def live_acts(user_id: str) -> str:
    """Sorted set by time of a user's live events but browsing (`services.user.live_events`)."""
    return f"ecrs:ev:a:{user_id}"


def live_views(user_id: str) -> str:
    """The same of browsing."""
    return f"ecrs:ev:v:{user_id}"


LIVE_EVENTS = "ecrs:ev:[av]:*"
"""Pattern of the keys of both kinds of live events."""


def user_of_live_events(key: str) -> str:
    """The user whose live events a key holds."""
    return key.split(":", 3)[3]


def live_event_ids(user_id: str) -> str:
    """Sorted set of the event ids among the live events, scored by arrival (ms)."""
    return f"ecrs:d:{user_id}"


def overwritten(part: str) -> str:
    """Sorted set of the live ids that a load with `--overwrite` is to replace: `users`, `items`, and
    `availability`. A write through the API takes its ids out again."""
    return f"ecrs:load:overwrite:{part}"


def stats(service: str, pid: int | str) -> str:
    """Live figures of a process, for the console: JSON object, expires. "*" for any in a pattern."""
    return f"ecrs:stats:{service}:{pid}"
