"""What happens to runs, in the feed: nobody else reports runs and their nodes, so each change is reported once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airloom.store.records import FeedEvent, NewEvent, NodeRun, NotFound, StoredRun
from airloom.store.runs import UNFINISHED
from airloom.store.store import Store

if TYPE_CHECKING:
    from airloom.dags.node_states import NodeState

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=1)
"""How far a first look goes: a worker that died has reported nothing of what it kept last."""
OVERLAP = timedelta(seconds=10)
"""How long a change may take from its time to its commit."""

Key = tuple[str, str]


@dataclass
class _Reported:
    """What the feed has reported of a run."""

    kind: str | None = None
    ended_at: str | None = None
    nodes: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)


class RunEvents:
    """Compare runs, in the store and in Airflow, with what the feed has reported of them, and tell the rest.

    What was reported is read back from the feed, so any number of workers may do this, one at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reported: dict[Key, _Reported] = {}
        self._read: int | None = None
        self._looked = datetime.now(UTC) - LOOK_BACK
        self._changes: dict[Key, object] = {}
        self._settled: dict[Key, datetime | None] = {}

    def tell(self) -> None:
        """Tell what has happened since the last look; where no run is active or has changed, that is one query."""
        watched = self._store.runs.watched(self._looked - OVERLAP)
        if all((_key(run), changed) in self._settled.items() for run, changed in watched):
            return
        with self._store.lock("run events") as held:
            if not held:
                return
            self._catch_up()
            watched = self._store.runs.watched(self._looked - OVERLAP)
            self._learn([_key(run) for run, _ in watched if _key(run) not in self._reported])
            for run, _ in watched:
                reported = self._reported[_key(run)]
                if run.state not in UNFINISHED and (reported.kind, reported.ended_at) != ("ended", _ended_at(run)):
                    nodes = self._store.node_runs.of(run.pipeline, run.run_id)
                    self._store.feed.add([*_begun(run, reported), *_of_nodes(run, reported, nodes), _ended(run)])
                    self._changes.pop(_key(run), None)
            self._tell_active([run for run, _ in watched if run.state in UNFINISHED])
            self._forget_others({_key(run) for run, _ in watched})
        times = [changed for _, changed in watched if changed is not None]
        self._looked = max([self._looked, *times])
        self._settled = {_key(run): changed for run, changed in watched if run.state not in UNFINISHED}

    def _tell_active(self, runs: list[StoredRun]) -> None:
        from airloom.dags.node_states import changes
        from airloom.dags.runs import nodes_of_run

        now = changes([_key(run) for run in runs])
        for run in runs:
            key, reported = _key(run), self._reported[_key(run)]
            events = list(_begun(run, reported, started=run.state == "running"))
            if now.get(key) != self._changes.get(key):
                try:
                    nodes = nodes_of_run(self._store, *key)
                except NotFound:
                    nodes = []
                moved = list(_of_nodes(run, reported, nodes))
                events = [*_begun(run, reported, started=run.state == "running" or bool(moved)), *moved]
            self._store.feed.add(events)
            if key in now:
                self._changes[key] = now[key]

    def _catch_up(self) -> None:
        """Read what the feed has reported since the last look, by whomever."""
        if self._read is None:
            self._read = self._store.feed.newest()
        while events := self._store.feed.after(self._read):
            for event in events:
                self._take(event)
            self._read = events[-1].id
        if events is None:  # Asleep for longer than events are kept.
            self._reported, self._changes, self._read = {}, {}, self._store.feed.newest()

    def _learn(self, keys: list[Key]) -> None:
        """Read all that the feed has reported of runs that are met for the first time."""
        for key in keys:
            self._reported[key] = _Reported()
        for event in self._store.feed.of_runs(keys):
            self._take(event)

    def _forget_others(self, watched: set[Key]) -> None:
        """Keep in memory only what is watched: the feed knows what was told of any other run."""
        self._reported = {key: reported for key, reported in self._reported.items() if key in watched}
        self._changes = {key: change for key, change in self._changes.items() if key in watched}

    def _take(self, event: FeedEvent) -> None:
        reported = self._reported.get((event.pipeline, event.run_id or ""))
        if reported is None or event.topic != "runs":
            return
        if event.kind == "deleted":
            del self._reported[event.pipeline, event.run_id or ""]
        elif event.kind == "node":
            payload = event.payload
            reported.nodes[payload["node"], payload["index"]] = (payload["state"], payload["attempt"])
        else:
            reported.kind = event.kind
            reported.ended_at = event.payload.get("ended_at")


def _key(run: StoredRun) -> Key:
    return run.pipeline, run.run_id


def _event(run: StoredRun, kind: str, **payload: Any) -> NewEvent:
    return NewEvent("runs", kind, run.pipeline, run.run_id, payload)


def _begun(run: StoredRun, reported: _Reported, *, started: bool = True) -> Iterator[NewEvent]:
    facts = {"version": run.version, "trigger": run.trigger, "actor": run.actor, "correlation_id": run.correlation_id}
    if reported.kind in (None, "ended"):
        yield _event(run, "queued", **facts)
    if started and reported.kind != "started":
        yield _event(run, "started", **facts)


def _of_nodes(run: StoredRun, reported: _Reported, nodes: list[NodeRun] | list[NodeState]) -> Iterator[NewEvent]:
    for node in nodes:
        index = node.index_path
        state = (node.state, node.attempt)
        before = reported.nodes.get((node.node, index), ("waiting", 0))
        if state != before and (node.state, before[0]) != ("waiting", "waiting"):
            error = node.error.get("code") if node.error else None
            yield _event(
                run,
                "node",
                node=node.node,
                index=index,
                state=node.state,
                attempt=node.attempt,
                rows=node.rows,
                seconds=node.seconds,
                error=error,
            )


def _ended(run: StoredRun) -> NewEvent:
    return _event(run, "ended", state=run.state, seconds=run.seconds, rows=run.rows, ended_at=_ended_at(run))


def _ended_at(run: StoredRun) -> str | None:
    return run.ended_at.isoformat() if run.ended_at else None
