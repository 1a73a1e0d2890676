"""Writing a load into Redis: a new generation beside the old one, one switch, then the old one's end.

What was written through the API stays: its rows, in keys of their own, are read before those of a load; the
scripts of `live_rows` keep a load's hands off the original's keys of such rows, and drop deleted users from
each batch in the transaction that writes it. With `overwrite`, what was written before the load began gives
way to it.

What a load has done so far is in the hash `ecrs:load`, written together with each batch of rows, so that a
load that was interrupted goes on where it stopped:

    phase       "writing" until the switch, then "switched" until mirrors and clean-up are done
    source      fingerprint of what is being loaded; another one starts anew
    generation  the number being written
    old:<part>  the generation it replaces
    rows:<part> rows written;  done:<part> "1" when all are
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

from engine.errors import Unavailable
from scripts.redis_load import live_rows
from scripts.redis_load.problems import BadData, Problems
from scripts.redis_load.sources import Part, Row
from services.common import keys
from services.common.redis import Redis, redis_errors

_BATCH = 500
_LOCK_S = 600  # sorting a large share of histories writes nothing for minutes
_SCAN = 5_000

_KEY: dict[str, Callable[[str, str], str]] = {
    "users": keys.user,
    "items": keys.item,
    "histories": keys.history,
}
_IDS = {"users": keys.user_ids, "items": keys.item_ids}
_ORIGINAL = {"users": keys.original_user, "items": keys.original_item}
_LIVE = {"users": keys.LIVE_USERS, "items": keys.LIVE_ITEMS}
_LIVE_ROW = {"users": keys.live_user, "items": keys.live_item}
_OF_USERS = ("users", "histories")
_AVAILABILITY = "availability"


class Progress(Protocol):
    """Hears how far a step is."""

    def step(self, name: str, total: int | None, done: int) -> None: ...

    def advance(self, rows: int) -> None: ...


class RedisLoader:
    """Loads parts into `redis`; readers see whole loads only. Raises Unavailable and BadData."""

    def __init__(self, redis: Redis, progress: Progress, grace_s: int = 60) -> None:
        self._redis: Any = redis  # its typed answers are unions over both kinds of decoding
        self._progress, self._grace_s = progress, grace_s
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"

    def run(
        self, parts: Sequence[Part], source: str, dataset: str | None, *, overwrite: bool = False
    ) -> None:
        """Load `parts`, or finish an interrupted load of the same `source`.

        Args:
            dataset: dataset.toml as JSON, to be stored with users or items; None to leave what is there.
            overwrite: the loaded rows win over what was written through the API before the load began; a
                deleted user stays deleted all the same.
        """
        with redis_errors(), self._locked():
            state = self._state()
            if state.get("phase") == "switched":  # it got so far: end it before anything else
                self._finish(state)
                if state.get("source") == source:
                    return
                state = {}
            if state and state.get("source") != source:
                self._clean(state["generation"], keys.PARTS, expire_s=0)
                self._redis.delete(keys.LOAD)
                state = {}
            if not state:
                state = self._begin(parts, source, overwrite=overwrite)
            generation = state["generation"]
            for part in parts:
                self._write(part, generation, state)
            self._drop_mirrors(parts, generation, state)
            self._switch(parts, generation, dataset)
            self._finish(self._state())

    def _begin(self, parts: Sequence[Part], source: str, *, overwrite: bool) -> dict[str, str]:
        generation = str(self._redis.incr(keys.LAST_GENERATION))
        state = {"phase": "writing", "source": source, "generation": generation}
        for part in parts:
            old = self._redis.hget(keys.GENERATION, part.name)
            if isinstance(old, bytes):
                state[f"old:{part.name}"] = old.decode()
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(*map(keys.overwritten, (*_LIVE, _AVAILABILITY)))
            for name in (part.name for part in parts if overwrite and part.name in _LIVE):
                pipeline.zunionstore(keys.overwritten(name), [_LIVE[name]])
                if name == "items":
                    decided = [keys.LIVE_AVAILABLE, keys.LIVE_UNAVAILABLE]
                    pipeline.zunionstore(keys.overwritten(_AVAILABILITY), decided)
            pipeline.hset(keys.LOAD, mapping={**state})
            pipeline.execute()
        return state

    def _write(self, part: Part, generation: str, state: dict[str, str]) -> None:
        """The rows of a part that are not yet written."""
        done = int(state.get(f"rows:{part.name}", 0))
        self._progress.step(part.name, part.total, done)
        if state.get(f"done:{part.name}"):
            return
        problems = Problems()
        rows = iter(part.rows(problems))
        for _ in islice(rows, done):
            pass
        for batch in _chunks(rows, _BATCH):
            if not problems.lines:
                done += len(batch)
                self._write_batch(part.name, generation, batch, done)
            self._progress.advance(len(batch))
        problems.check()
        if not done and not part.may_be_empty:
            raise BadData(f"{part.files[0]}: has no rows")
        self._redis.hset(keys.LOAD, f"done:{part.name}", "1")

    def _write_batch(self, part: str, generation: str, batch: Sequence[Row], done: int) -> None:
        key = _KEY[part]
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.mset({key(generation, row.id): row.value for row in batch})
            if part in _IDS:
                pipeline.zadd(_IDS[part](generation), {row.id: 0 for row in batch})
            if part in _OF_USERS:
                known = (keys.DELETED_USERS, keys.user_ids(generation))
                pipeline.eval(live_rows.FORGET, 2, *known, key(generation, ""), *(row.id for row in batch))
            unavailable = [row.id for row in batch if not row.available]
            if unavailable:
                pipeline.sadd(keys.staged_unavailable(generation), *unavailable)
            pipeline.hset(keys.LOAD, f"rows:{part}", str(done))
            pipeline.expire(keys.LOAD_LOCK, _LOCK_S)
            pipeline.execute()

    def _drop_mirrors(self, parts: Sequence[Part], generation: str, state: dict[str, str]) -> None:
        """Take away the original's keys of what this load no longer has.

        Before the switch: readers still find those rows in the old generation, and after it nowhere.
        """
        for part in parts:
            old = state.get(f"old:{part.name}")
            if part.name not in _IDS or old is None:
                continue
            ids, original = _IDS[part.name], _ORIGINAL[part.name]
            self._redis.zdiffstore(keys.LOAD_DROPPED, [ids(old), ids(generation), _LIVE[part.name]])
            while gone := self._redis.zrange(keys.LOAD_DROPPED, 0, _BATCH - 1):
                with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.eval(live_rows.UNMIRROR, 1, _LIVE[part.name], original(""), *gone)
                    pipeline.zrem(keys.LOAD_DROPPED, *gone)
                    pipeline.execute()

    def _switch(self, parts: Sequence[Part], generation: str, dataset: str | None) -> None:
        """All of it at one moment. Unavailable is what the load says, but where the API said otherwise."""
        with self._redis.pipeline(transaction=True) as pipeline:
            for part in parts:
                pipeline.hset(keys.GENERATION, part.name, generation)
                if part.name == "items":
                    pipeline.sdiffstore(
                        keys.UNAVAILABLE, [keys.staged_unavailable(generation), keys.LIVE_AVAILABLE]
                    )
                    pipeline.sunionstore(keys.UNAVAILABLE, [keys.UNAVAILABLE, keys.LIVE_UNAVAILABLE])
            if dataset is not None:
                pipeline.set(keys.DATASET, dataset)
            pipeline.hset(keys.LOAD, "phase", "switched")
            pipeline.execute()

    def _finish(self, state: dict[str, str]) -> None:
        """After the switch: write the original's keys, let old rows give way and the old generations end."""
        generation = state["generation"]
        for part in (name for name in keys.PARTS if state.get(f"done:{name}")):
            if part in _IDS:
                self._mirror(part, generation)
                self._give_way(part, generation)
            old = state.get(f"old:{part}")
            if old is not None:
                self._clean(old, [part], expire_s=self._grace_s)
        self._redis.delete(keys.LOAD, keys.LOAD_DROPPED)

    def _mirror(self, part: str, generation: str) -> None:
        ids, key, original = _IDS[part](generation), _KEY[part], _ORIGINAL[part]
        self._progress.step(f"{part}, original keys", self._redis.zcard(ids), 0)
        start = "-"
        while page := self._redis.zrangebylex(ids, start, "+", 0, _BATCH):
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.eval(live_rows.MIRROR, 1, _LIVE[part], key(generation, ""), original(""), *page)
                pipeline.expire(keys.LOAD_LOCK, _LOCK_S)
                pipeline.execute()
            self._progress.advance(len(page))
            start = f"({page[-1].decode()}"

    def _give_way(self, part: str, generation: str) -> None:
        """Where the load is to win: end what was written through the API before it began."""
        ids = _IDS[part](generation)
        changed = keys.CHANGED_ITEMS if part == "items" else ""
        texts = (_LIVE_ROW[part](""), _KEY[part](generation, ""), _ORIGINAL[part](""))
        while self._redis.eval(
            live_rows.GIVE_WAY, 4, keys.overwritten(part), ids, _LIVE[part], changed, _BATCH, *texts
        ):
            self._redis.expire(keys.LOAD_LOCK, _LOCK_S)
        if part != "items":
            return
        decided = (
            keys.LIVE_AVAILABLE,
            keys.LIVE_UNAVAILABLE,
            keys.staged_unavailable(generation),
            keys.UNAVAILABLE,
        )
        while self._redis.eval(
            live_rows.GIVE_WAY_AVAILABILITY, 6, keys.overwritten(_AVAILABILITY), ids, *decided, _BATCH
        ):
            self._redis.expire(keys.LOAD_LOCK, _LOCK_S)

    def _clean(self, generation: str, parts: Iterable[str], *, expire_s: int) -> None:
        """End all keys of a generation's parts after `expire_s` seconds, at once for 0."""
        patterns = [_KEY[part](_escaped(generation), "*") for part in parts]
        single = [_IDS[part](generation) for part in parts if part in _IDS]
        single += [keys.staged_unavailable(generation)] if "items" in parts else []
        for found in (single, *(_scan(self._redis, pattern) for pattern in patterns)):
            for batch in _chunks(iter(found), _SCAN):
                with self._redis.pipeline(transaction=False) as pipeline:
                    if expire_s:
                        for key in batch:
                            pipeline.expire(key, expire_s)
                    else:
                        pipeline.unlink(*batch)
                    pipeline.expire(keys.LOAD_LOCK, _LOCK_S)
                    pipeline.execute()

    def _state(self) -> dict[str, str]:
        raw: Any = self._redis.hgetall(keys.LOAD)
        return {name.decode(): value.decode() for name, value in raw.items()}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One load at a time; the lock of a process that is gone from this machine is taken over."""
        if not self._redis.set(keys.LOAD_LOCK, self._owner, nx=True, ex=_LOCK_S):
            holder = self._redis.get(keys.LOAD_LOCK)
            if isinstance(holder, bytes) and _runs(holder.decode()):
                raise Unavailable(f"another load is running ({holder.decode()}): wait for its end")
            self._redis.set(keys.LOAD_LOCK, self._owner, ex=_LOCK_S)
        try:
            yield
        finally:
            if self._redis.get(keys.LOAD_LOCK) == self._owner.encode():
                self._redis.delete(keys.LOAD_LOCK)


def fingerprint_of(parts: Sequence[Part], length: int, *, overwrite: bool = False) -> str:
    """What a load is of: parts, files, their sizes and times, and what wins. Raises BadData."""
    files = []
    for part in parts:
        for file in part.files:
            try:
                status = file.stat()
            except OSError as error:
                raise BadData(f"{file}: {error.strerror}") from error
            files.append(f"{part.name}={file.resolve()}:{status.st_size}:{status.st_mtime_ns}")
    return ";".join([*files, f"history={length}", *(["overwrite"] if overwrite else [])])


def _escaped(text: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


def _scan(redis: Redis, pattern: str) -> Iterator[bytes]:
    found: Iterator[bytes] = redis.scan_iter(match=pattern, count=_SCAN)
    return found


def _chunks(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def _runs(owner: str) -> bool:
    """Whether the process that holds the lock may still run."""
    host, _, rest = owner.partition(":")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(rest.partition(":")[0]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
