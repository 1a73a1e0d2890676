"""Writers at work while something else happens, and what they were told, to compare with what is stored."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import NotFound
from engine.types import UserEvent, UserProfile
from services.common.ports import ItemPort, UserPort

T = 5.0
_AGES = ("1", "2", "3")
_PAUSE_S = 0.002


class Writers:
    """Five who write at the same time until the end of the block, each what nobody else writes.

    Prices, availability, profiles, deletions and events get a share each of the items and users given, which
    are to exist, and some profiles are of new users.
    """

    def __init__(
        self,
        users: UserPort,
        items: ItemPort,
        user_ids: Sequence[str],
        item_ids: Sequence[str],
        pause_s: float = _PAUSE_S,
    ) -> None:
        self.users, self.items = users, items
        self._sold, self._marked = item_ids[0::2], item_ids[1::2]
        self._signing, self._leaving, self._browsing = (user_ids[at::3] for at in range(3))
        self._pause_s, self._stop = pause_s, threading.Event()
        self.prices: dict[str, float] = {}
        self.available: dict[str, bool] = {}
        self.ages: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.events: dict[str, list[str]] = {}
        self.calls = 0
        self.failures: list[str] = []
        steps = (self._sell, self._mark, self._sign_up, self._delete, self._browse)
        self._threads = [
            threading.Thread(target=self._run, args=(step, random.Random(seed)))
            for seed, step in enumerate(steps)
        ]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def assert_all_as_written(self) -> None:
        """Everything that was acknowledged is stored as it was written last, and no call failed."""
        assert self.failures == []
        assert min(map(len, (self.prices, self.available, self.ages, self.deleted, self.events))) > 0
        stored = {name: self.items.get_item(name, T) for name in (*self.prices, *self.available)}
        assert {name: stored[name].price for name in self.prices} == self.prices
        assert {name: stored[name].available for name in self.available} == self.available
        assert {name: self.users.get_user(name, T).attributes["age"] for name in self.ages} == self.ages
        for name in self.deleted:
            assert not self.users.get_user_context(name, 10, T).known
        for name, events in self.events.items():
            found = self.users.get_user_context(name, 1000, T).context.events
            assert [event.item_id for event in found if event.item_id in events] == events[::-1]

    def _run(self, step: Callable[[random.Random, int], None], chance: random.Random) -> None:
        number = 0
        while not self._stop.wait(self._pause_s):
            number += 1
            try:
                step(chance, number)
                self.calls += 1
            except Exception as error:  # whatever it is, somebody got no answer
                self.failures.append(repr(error))

    def _sell(self, chance: random.Random, number: int) -> None:
        name = chance.choice(self._sold)
        item = replace(self.items.get_item(name, T), price=float(number))
        self.items.upsert_items([item], T)
        self.prices[name] = float(number)

    def _mark(self, chance: random.Random, _: int) -> None:
        name, value = chance.choice(self._marked), chance.random() < 0.5
        self.items.set_availability([name], value, T)
        self.available[name] = value

    def _sign_up(self, chance: random.Random, number: int) -> None:
        name = chance.choice(self._signing) if number % 2 else f"new{number}"
        age = chance.choice(_AGES)
        self.users.upsert_users([UserProfile(name, {"age": age})], T)
        self.ages[name] = age

    def _delete(self, _: random.Random, number: int) -> None:
        name = self._leaving[number % len(self._leaving)]
        self.users.delete_user(name, T)
        try:
            self.users.get_user(name, T)
        except NotFound:
            self.deleted.add(name)
        else:
            self.failures.append(f"{name} is there though deleted")

    def _browse(self, chance: random.Random, number: int) -> None:
        name, item = chance.choice(self._browsing), f"event-{number}"
        self.users.record_user_events([UserEvent(name, item, "click", event_id=item)], T)
        self.events.setdefault(name, []).append(item)
