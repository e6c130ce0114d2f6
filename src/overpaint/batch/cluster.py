"""Tasks run by workers on a Ray cluster: one worker for each device, on every node present while the batch runs.

Ray starts processes and reports their deaths; what happens to a task is decided here and in the runner. Ray neither
restarts an actor nor repeats a call: an actor that can't be placed again would hold its calls for ever, and two
attempts at one task could write one file. A task whose worker is lost fails with `WorkerLostError`, and the runner
starts it again, with another hidden file.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from overpaint.engines import Monitor
from overpaint.errors import Cancelled, ClusterError, WorkerLostError
from overpaint.record import version
from overpaint.studio import Studio

from .connect import first_line
from .events import Event, Ready, Starting
from .followed import Followers
from .ray_worker import Keeping, RayWorker, WorkerInfo
from .task import ClusterTask

_NODE_INTERVAL = 1.0  # seconds between two checks of the nodes
_PROGRESS_INTERVAL = 5.0  # seconds between two checks of a worker's progress
_START_ATTEMPTS = 3  # failed starts of workers on a node after which no more are tried there
_STOP_TIMEOUT = 5.0  # seconds for workers to cancel their tasks
_KEPT_INTERVAL = 5.0  # seconds between two looks for workers that another run has kept
_NAMESPACE = "overpaint"  # of the names of kept workers


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What a worker gets, and how long to wait for it.

    Attributes:
        ahead: Tasks that a worker has at once, so that its engine never waits for one to be read or written.
        cpus: Processors of a worker; a node gets as many workers as it has room for.
        gpus: Whether nodes with GPUs get one worker for each GPU instead.
        stall: Seconds without progress after which a worker that has tasks is given up.
        patience: Seconds to wait for a first worker, and for a new one when all are gone.
        keep: Seconds for which workers stay after the run, with their models, for another run with equal settings; 0:
            they end with it. Those of a private run end in any case.
        lease: Seconds after which kept workers of a process that was killed end.
    """

    ahead: int = 4
    cpus: int = 1
    gpus: bool = True
    stall: float = 600.0
    patience: float = 120.0
    keep: float = 0.0
    lease: float = 20.0


@dataclass(slots=True, eq=False)
class _Handle:
    """A worker as seen from here.

    Attributes:
        actor: Ray's handle.
        node: Id of its node.
        info_reply: Reference to its first reply; `info` once it has arrived.
        tasks: Tasks that it has.
        steps: Its count of steps at the last check.
        advanced: When that count last grew, on the monotonic clock.
        steps_reply: Reference to the count that was requested last; None when it has arrived.
        broken: Why a call failed; "" while none has.
        kept: Its name, of one that an earlier run has started; "" for one of this run.
    """

    actor: Any
    node: str
    info_reply: Any
    info: WorkerInfo | None = None
    tasks: dict[Future[Any], ClusterTask] = field(default_factory=dict)
    steps: int = -1
    advanced: float = field(default_factory=time.monotonic)
    steps_reply: Any = None
    broken: str = ""
    kept: str = ""


class RayExecutor(contextlib.AbstractContextManager["RayExecutor"]):
    """Runs tasks on the cluster that this process is connected to (see `connect`). A context manager that stops it."""

    def __init__(self, make: Callable[[], Studio], options: ClusterOptions | None = None) -> None:
        """Workers are started at once; tasks wait for the first.

        Args:
            make: Makes a worker's studio; Ray must be able to send it: `partial(Studio, threads=1)`, say.
            options: Of the workers.
        """
        import ray

        self._ray = ray
        self._options = options or ClusterOptions()
        self._make = ray.put(make)
        self._followers = Followers(ray)
        self._owner = secrets.token_hex(8)
        self._kind = _kind_of(make, self._options)
        self._notices: deque[Event] = deque()
        self._rooms: dict[str, int] = {}
        self._starting: list[_Handle] = []
        self._began = time.monotonic()
        self._handles: list[_Handle] = []
        self._waiting: deque[tuple[ClusterTask, Future[Any]]] = deque()
        self._failed_starts: Counter[str] = Counter()
        self._last_failure = ""
        self._lost: list[ClusterTask] = []
        self._own_names: set[str] = set()
        self._suspects: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._nodes_checked = self._progress_checked = self._kept_checked = float("-inf")
        self._without_worker_since = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="overpaint-cluster", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ahead(self) -> int:
        """As many tasks as the present workers have room for."""
        return max(1, self._workers()) * self._options.ahead

    def _workers(self) -> int:
        """How many workers have started and are present."""
        with self._changed:
            return sum(handle.info is not None for handle in self._handles)

    def notices(self) -> list[Event]:
        """How workers start, since the last call."""
        found: list[Event] = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._notices.popleft())
        return found

    def start(self, task: ClusterTask, monitor: Monitor | None = None) -> Future[Any]:
        """Give a task to the worker with the fewest tasks, or keep it until one has room.

        Args:
            task: The task.
            monitor: Gets the progress of a task that is `followed`; its cancellation ends that task alone.
        """
        future: Future[Any] = Future()
        if monitor is not None:
            self._followers.follow(task.name, monitor)
            future.add_done_callback(lambda _: self._followers.leave(task.name))
        with self._changed:
            if self._stopping:
                future.set_exception(Cancelled("the cluster was given up"))
                return future
            self._waiting.append((task, future))
            self._changed.notify_all()
        return future

    def stop(self) -> None:
        """Cancel what is unfinished, wait for it a little, end the workers, and remove their unfinished files."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._fail_waiting(Cancelled("it was cancelled"))
        handles = list(self._handles)
        with contextlib.suppress(self._ray.exceptions.RayError):
            for handle in handles:
                handle.actor.cancel.remote()
        over = time.monotonic() + _STOP_TIMEOUT
        with self._changed:
            while any(handle.tasks for handle in handles) and time.monotonic() < over:
                self._changed.wait(timeout=0.1)
        left = []
        for handle in handles:
            if self._options.keep and handle.info is not None and not handle.tasks and not handle.broken:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    left.append(handle.actor.leave.remote(self._owner))
                continue
            self._end(handle, Cancelled("it was cancelled"))
        if left:
            self._ray.wait(left, num_returns=len(left), timeout=_STOP_TIMEOUT)
        for task in self._lost:
            # Again, now that the workers are gone: one that was given up may have written since.
            task.drop()

    # ── on the executor's own thread ──────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        while not self._stopping:
            try:
                for handle in [handle for handle in self._handles if handle.broken]:
                    self._lose(handle, handle.broken)
                self._update_nodes()
                self._admit()
                self._check_progress()
                self._end_cancelled()
                self._dispatch()
                self._followers.exchange(self._handles)
                self._check_patience()
            except Exception as error:  # Ray has many errors of its own; no task may wait for ever, whichever it is
                self._fail_waiting(ClusterError(f"the cluster can't be used any more: {type(error).__name__}: {error}"))
            with self._changed:
                busy = any(handle.broken for handle in self._handles) or self._next_match() is not None
                if not self._stopping and not busy:
                    self._changed.wait(timeout=0.2)

    def _update_nodes(self) -> None:
        """Start workers where there is room for one, and drop those whose node is gone."""
        if time.monotonic() - self._nodes_checked < _NODE_INTERVAL:
            return
        self._nodes_checked = time.monotonic()
        alive = {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}
        for handle in [handle for handle in self._handles if handle.node not in alive]:
            self._lose(handle, "its node is gone")
        usable = {
            node: self._room(given) for node, given in alive.items() if self._failed_starts[node] < _START_ATTEMPTS
        }
        serving = Counter(handle.node for handle in self._handles if handle.info is not None)
        kept = self._kept({node for node, (count, _) in usable.items() if serving[node] < count})
        self._rooms = {node: count for node, (count, _) in usable.items()}
        started: list[_Handle] = []
        for node, (count, share) in usable.items():
            for name, actor in kept.get(node, ())[: count - serving[node]]:
                self._add(actor, node, name)
            missing = count - sum(handle.node == node for handle in self._handles)
            started += [self._start_worker(node, share, count) for _ in range(missing)]
        if started or (kept and not self._starting and not self._workers()):
            started = [handle for handle in self._handles if handle.info is None]
            self._notices.append(Starting(len(started), len({handle.node for handle in started})))
            if not self._starting:
                self._began = time.monotonic()
            self._starting = started

    def _kept(self, nodes: set[str]) -> dict[str, list[tuple[str, Any]]]:
        """Workers that earlier runs have kept, by node, with their names; those with other settings are asked to end.
        Those that another run has stay with it: they are looked at again after a while.
        """
        found: dict[str, list[tuple[str, Any]]] = {}
        if not nodes or time.monotonic() - self._kept_checked < _KEPT_INTERVAL:
            return found
        self._kept_checked = time.monotonic()
        ours = self._own_names | {handle.kept for handle in self._handles}
        with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError):
            for one in self._ray.util.list_named_actors(all_namespaces=True):
                kind, _, rest = (name := one["name"]).partition("@")
                node = rest.partition("@")[0]
                if one["namespace"] != _NAMESPACE or name in ours or node not in nodes:
                    continue
                with contextlib.suppress(ValueError):  # it has just ended
                    actor = self._ray.get_actor(name, namespace=_NAMESPACE)
                    if kind == self._kind:
                        found.setdefault(node, []).append((name, actor))
                    else:
                        actor.retire.remote()
        return found

    def _room(self, resources: dict[str, float]) -> tuple[int, dict[str, float]]:
        """How many workers a node takes, and which share of it each gets."""
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        if self._options.gpus and gpus:
            return gpus, {"num_gpus": 1, "num_cpus": min(1, cpus // gpus)}
        return cpus // self._options.cpus, {"num_cpus": self._options.cpus}

    def _start_worker(self, node: str, share: dict[str, float], count: int) -> _Handle:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        lasting, keeping = {}, None
        if self._options.keep:
            keeping = Keeping(self._options.keep, self._options.lease)
            name = f"{self._kind}@{node}@{secrets.token_hex(6)}"
            self._own_names.add(name)
            lasting = {"name": name, "namespace": _NAMESPACE, "lifetime": "detached"}
        actor = (
            self._ray.remote(RayWorker)
            .options(
                **share,
                **lasting,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=self._options.ahead + 3,  # for steps_done, exchange and cancel
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(self._make, count, keeping)
        )
        return self._add(actor, node)

    def _add(self, actor: Any, node: str, kept: str = "") -> _Handle:
        keeping = Keeping(self._options.keep, self._options.lease)
        handle = _Handle(actor, node, actor.take.remote(self._owner, keeping), kept=kept)
        with self._changed:
            self._handles.append(handle)
        return handle

    def _admit(self) -> None:
        """Admit workers that have started, if they have our version."""
        for handle in [handle for handle in self._handles if handle.info is None]:
            if not self._ray.wait([handle.info_reply], timeout=0)[0]:
                continue
            try:
                info: WorkerInfo | None = self._ray.get(handle.info_reply)
                if info is None:  # another run has taken it meanwhile
                    with self._changed:
                        self._handles.remove(handle)
                    continue
                failure = f"Overpaint is {info.version} there and {version()} here"
            except self._ray.exceptions.RayError as error:
                info, failure = WorkerInfo("", ""), first_line(error)
            if info.version != version():
                if not handle.kept:  # that one may have ended by itself, as it was idle or out of date
                    self._failed_starts[handle.node] += 1
                    self._last_failure = failure
                self._lose(handle, failure)
                continue
            with self._changed:
                handle.info = info
                handle.advanced = time.monotonic()
            del self._failed_starts[handle.node]
            self._give_up_surplus(handle.node)
        if self._starting and not any(one in self._handles and one.info is None for one in self._starting):
            ready = [one.info for one in self._handles if one.info is not None]
            if ready:
                seconds = round(time.monotonic() - self._began, 3)
                self._notices.append(Ready(len(ready), sum(info.reused for info in ready), seconds))
            self._starting = []

    def _give_up_surplus(self, node: str) -> None:
        """End workers that wait for a place on a node where kept ones have been taken meanwhile."""
        here = [handle for handle in self._handles if handle.node == node]
        for handle in [handle for handle in here if handle.info is None][
            : len(here) - self._rooms.get(node, len(here))
        ]:
            self._end(handle, Cancelled("another worker took its place"))

    def _check_progress(self) -> None:
        """Give up workers that have tasks and make no progress."""
        interval = min(_PROGRESS_INTERVAL, self._options.stall / 4, self._options.lease / 4)
        if time.monotonic() - self._progress_checked < interval:
            return
        self._progress_checked = time.monotonic()
        for handle in [handle for handle in self._handles if handle.info is not None]:
            if handle.steps_reply is not None and self._ray.wait([handle.steps_reply], timeout=0)[0]:
                try:
                    steps = self._ray.get(handle.steps_reply)
                except self._ray.exceptions.RayError:
                    self._lose(handle, "it died")
                    continue
                handle.steps_reply = None
                if steps != handle.steps or not handle.tasks:
                    handle.steps, handle.advanced = steps, time.monotonic()
            if time.monotonic() - handle.advanced > self._options.stall:
                self._lose(handle, f"it made no progress for {self._options.stall:g} s")
            elif handle.steps_reply is None:
                handle.steps_reply = handle.actor.steps_done.remote()

    def _end_cancelled(self) -> None:
        """End the waiting tasks that were cancelled."""
        with self._changed:
            off = [one for one in self._waiting if self._followers.cancelled(one[0].name)]
            self._waiting = deque(one for one in self._waiting if one not in off)
        for _, future in off:
            _resolve(future, Cancelled("it was cancelled"))

    def _dispatch(self) -> None:
        """Send waiting tasks to workers that have room."""
        while True:
            with self._changed:
                match = self._next_match()
                if match is None or self._stopping:
                    return
                handle, (task, future) = match
                self._waiting.remove((task, future))
                if not handle.tasks:
                    handle.advanced = time.monotonic()
                handle.tasks[future] = task
            reference = handle.actor.do.remote(task)
            reference.future().add_done_callback(partial(self._on_reply, handle, future))

    def _next_match(self) -> tuple[_Handle, tuple[ClusterTask, Future[Any]]] | None:
        """The first task that a worker has room for, and the worker with the fewest tasks.

        A task that lost its worker before gets a worker of its own: if it is the cause, it must not cost other tasks
        their attempts.
        """
        able = [handle for handle in self._handles if handle.info is not None and not handle.broken]
        idle = next((handle for handle in able if not handle.tasks), None)
        free = [
            handle
            for handle in able
            if len(handle.tasks) < self._options.ahead
            and not any(task.name in self._suspects for task in handle.tasks.values())
        ]
        freest = min(free, key=lambda handle: len(handle.tasks), default=None)
        for task, future in self._waiting:
            handle = idle if task.name in self._suspects else freest
            if handle is not None:
                return handle, (task, future)
        return None

    def _check_patience(self) -> None:
        """Fail the waiting tasks when there has been no worker for too long."""
        if self._workers():
            self._without_worker_since = time.monotonic()
            return
        seconds = time.monotonic() - self._without_worker_since
        if self._waiting and seconds > self._options.patience:
            reason = f": {self._last_failure}" if self._last_failure else ""
            self._fail_waiting(ClusterError(f"no worker came up on the cluster for {seconds:.0f} s{reason}"))

    def _fail_waiting(self, error: Exception) -> None:
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
        for _, future in waiting:
            _resolve(future, error)

    # ── ends of workers and tasks ─────────────────────────────────────────────────────────────────────────────────

    def _lose(self, handle: _Handle, reason: str) -> None:
        """Go on without a worker; its tasks fail, to be started again."""
        host = handle.info.host if handle.info is not None else f"node {handle.node[:8]}"
        with self._changed:
            self._suspects.update(task.name for task in handle.tasks.values())
        self._end(handle, WorkerLostError(f"the worker on {host} was lost: {reason}"))

    def _end(self, handle: _Handle, error: Exception) -> None:
        with self._changed:
            if handle in self._handles:
                self._handles.remove(handle)
            tasks, handle.tasks = handle.tasks, {}
        with contextlib.suppress(Exception):  # it may be dead already, in one of many ways
            self._ray.kill(handle.actor, no_restart=True)
        for future, task in tasks.items():
            self._lost.append(task)
            task.drop()
            _resolve(future, error)

    def _on_reply(self, handle: _Handle, future: Future[Any], reply: Future[Any]) -> None:
        """Handle the end of a call. Runs on a thread of Ray's, so it must not call Ray."""
        error = reply.exception()
        with self._changed:
            task = handle.tasks.pop(future, None)
            if task is not None and error is not None:
                handle.tasks[future] = task  # taken back together with its worker
                handle.broken = first_line(error)
            self._changed.notify_all()
        if task is not None and error is None:
            _resolve(future, reply.result())


def _kind_of(make: Callable[[], Studio], options: ClusterOptions) -> str:
    """A name that workers have in common that may take one another's place: of one version, studio and size."""
    from ray import cloudpickle

    what = (version(), sys.version, options.ahead, options.cpus, options.gpus)
    return hashlib.sha256(repr(what).encode() + cloudpickle.dumps(make)).hexdigest()[:24]


def _resolve(future: Future[Any], outcome: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # resolved already: a worker that was given up has replied
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
