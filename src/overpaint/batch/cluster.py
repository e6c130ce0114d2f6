"""A crew of workers on a Ray cluster: one for each device, on every node that is there while the batch runs.

Ray starts processes and tells of their deaths; what becomes of a task is decided here and in the runner. Ray neither
restarts an actor nor repeats a call: an actor that can't be placed again would hold its calls for ever, and two tries
of one task could write one file. A task whose worker is lost fails with `WorkerLostError`, and the runner begins it
anew, under another hidden name.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from overpaint.errors import Cancelled, ClusterError, WorkerLostError
from overpaint.record import version
from overpaint.studio import Studio

from .connect import first_line
from .ray_worker import RayWorker, RemoteError, WorkerInfo
from .task import Task, TaskResult

_NODE_INTERVAL = 1.0  # seconds between two looks at which nodes there are
_PULSE_INTERVAL = 5.0  # seconds between two questions whether a worker gets on
_START_ATTEMPTS = 3  # how often a worker may fail to come up on a node before the node is left alone
_SHUTDOWN_TIMEOUT = 5.0  # seconds that workers have to call their tasks off


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What a worker gets, and how long it is waited for.

    Attributes:
        ahead: Tasks that a worker has at once, so that its engine never waits for one to be read or written.
        cpus: Processors a worker; as many workers come onto a node as it has room for.
        gpus: Whether nodes that have GPUs get one worker for each instead.
        stall: Seconds after which a worker that has tasks and gets on with none is given up.
        patience: Seconds to wait for a first worker, and for a new one when all are gone.
    """

    ahead: int = 4
    cpus: int = 1
    gpus: bool = True
    stall: float = 600.0
    patience: float = 120.0


@dataclass(slots=True, eq=False)
class _Handle:
    """A worker from here: its actor, its node, and the tasks that it has."""

    actor: Any
    node: str
    info_reply: Any
    info: WorkerInfo | None = None
    tasks: dict[Future[TaskResult], Task] = field(default_factory=dict)
    steps: int = -1
    moved: float = field(default_factory=time.monotonic)
    pulse_reply: Any = None
    broken: str = ""


class RayExecutor:
    """Does tasks on a cluster that this process is connected to (see `connect`). A context manager that ends it."""

    def __init__(self, make: Callable[[], Studio], terms: ClusterOptions | None = None) -> None:
        """Workers are started at once, and tasks wait for the first.

        Args:
            make: Makes a worker's studio; must be something that Ray can send, such as `partial(Studio, threads=1)`.
            terms: What workers get.
        """
        import ray

        self._ray = ray
        self._terms = terms or ClusterOptions()
        self._make = ray.put(make)
        self._handles: list[_Handle] = []
        self._waiting: deque[tuple[Task, Future[TaskResult]]] = deque()
        self._tries: dict[str, int] = {}
        self._why = ""
        self._lost: list[Task] = []
        self._suspects: set[str] = set()
        self._awake = threading.Condition()
        self._ending = False
        self._nodes_checked = self._progress_checked = float("-inf")
        self._without_worker_since = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, name="overpaint-cluster", daemon=True)
        self._watcher.start()

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ahead(self) -> int:
        """As many tasks as the workers that are there now have room for."""
        with self._awake:
            return max(1, sum(handle.info is not None for handle in self._handles)) * self._terms.ahead

    @property
    def workers(self) -> tuple[WorkerInfo, ...]:
        """Those that are there now."""
        with self._awake:
            return tuple(handle.info for handle in self._handles if handle.info is not None)

    def start(self, task: Task) -> Future[TaskResult]:
        """Hand a task to the worker that has the fewest, or keep it until one has room."""
        future: Future[TaskResult] = Future()
        with self._awake:
            if self._ending:
                future.set_exception(Cancelled("the cluster was given up"))
                return future
            self._waiting.append((task, future))
            self._awake.notify_all()
        return future

    def stop(self) -> None:
        """Call off what is not finished, wait for it a little, end the workers, and clear away what they left."""
        with self._awake:
            if self._ending:
                return
            self._ending = True
            handles, waiting = list(self._handles), list(self._waiting)
            self._waiting.clear()
            self._awake.notify_all()
        self._watcher.join()
        for _, future in waiting:
            _settle(future, Cancelled("it was called off"))
        with contextlib.suppress(self._ray.exceptions.RayError):
            for handle in handles:
                handle.actor.cancel.remote()
        self._wait_for_tasks(handles)
        for handle in handles:
            self._end(handle, Cancelled("it was called off"))
        for task in self._lost:
            # Again, now that the workers are gone: one that was given up may have written after it was.
            with contextlib.suppress(OSError):
                task.hidden.unlink(missing_ok=True)

    def _wait_for_tasks(self, handles: list[_Handle]) -> None:
        over = time.monotonic() + _SHUTDOWN_TIMEOUT
        with self._awake:
            while any(handle.tasks for handle in handles) and time.monotonic() < over:
                self._awake.wait(timeout=0.1)

    # ── the watcher's thread ──────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        while not self._ending:
            try:
                self._drop_broken()
                self._update_nodes()
                self._admit()
                self._check_progress()
                self._dispatch()
                self._check_patience()
            except Exception as error:  # Ray's own errors are many; whatever it is, no task may wait for ever
                self._abandon(ClusterError(f"the cluster can't be used any more: {type(error).__name__}: {error}"))
            with self._awake:
                if not self._ending and not self._something_to_do():
                    self._awake.wait(timeout=0.2)

    def _drop_broken(self) -> None:
        """Take back the tasks of workers that died."""
        for handle in [handle for handle in self._handles if handle.broken]:
            self._lose(handle, handle.broken)

    def _update_nodes(self) -> None:
        """Start workers where there is room for one, and drop those whose node is gone."""
        if time.monotonic() - self._nodes_checked < _NODE_INTERVAL:
            return
        self._nodes_checked = time.monotonic()
        alive = {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}
        for handle in [handle for handle in self._handles if handle.node not in alive]:
            self._lose(handle, "its node is gone")
        for node, resources in alive.items():
            if self._tries.get(node, 0) >= _START_ATTEMPTS:
                continue
            here = sum(handle.node == node for handle in self._handles)
            wanted, options = self._room(resources)
            for _ in range(wanted - here):
                self._start_worker(node, options)

    def _room(self, resources: dict[str, float]) -> tuple[int, dict[str, float]]:
        """How many workers a node takes, and what each of them gets."""
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        if self._terms.gpus and gpus:
            return gpus, {"num_gpus": 1, "num_cpus": min(1, cpus // gpus)}
        return cpus // self._terms.cpus, {"num_cpus": self._terms.cpus}

    def _start_worker(self, node: str, options: dict[str, float]) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = (
            self._ray.remote(RayWorker)
            .options(
                **options,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=self._terms.ahead + 2,  # two more, for pulse and cancel
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(self._make)
        )
        with self._awake:
            self._handles.append(_Handle(actor, node, actor.info.remote()))

    def _admit(self) -> None:
        """Take in workers that have come up, if they are of our version."""
        for handle in [handle for handle in self._handles if handle.info is None]:
            if not self._ray.wait([handle.info_reply], timeout=0)[0]:
                continue
            try:
                info: WorkerInfo = self._ray.get(handle.info_reply)
            except self._ray.exceptions.RayError as error:
                self._fail_to_come_up(handle, first_line(error))
                continue
            if info.version != version():
                self._fail_to_come_up(handle, f"Overpaint is {info.version} there and {version()} here")
                continue
            with self._awake:
                handle.info = info
                handle.moved = time.monotonic()
            self._tries.pop(handle.node, None)

    def _fail_to_come_up(self, handle: _Handle, why: str) -> None:
        self._tries[handle.node] = self._tries.get(handle.node, 0) + 1
        self._why = why
        self._lose(handle, why)

    def _check_progress(self) -> None:
        """Give up workers that have tasks and get on with none."""
        if time.monotonic() - self._progress_checked < min(_PULSE_INTERVAL, self._terms.stall / 4):
            return
        self._progress_checked = time.monotonic()
        for handle in [handle for handle in self._handles if handle.info is not None]:
            if handle.pulse_reply is not None and self._ray.wait([handle.pulse_reply], timeout=0)[0]:
                try:
                    steps = self._ray.get(handle.pulse_reply)
                except self._ray.exceptions.RayError:
                    self._lose(handle, "it died")
                    continue
                handle.pulse_reply = None
                if steps != handle.steps or not handle.tasks:
                    handle.steps, handle.moved = steps, time.monotonic()
            if time.monotonic() - handle.moved > self._terms.stall:
                self._lose(handle, f"it got on with nothing for {self._terms.stall:g} s")
            elif handle.pulse_reply is None:
                handle.pulse_reply = handle.actor.steps_done.remote()

    def _dispatch(self) -> None:
        while True:
            with self._awake:
                match = self._match()
                if match is None or self._ending:
                    return
                handle, (task, future) = match
                self._waiting.remove((task, future))
                if not handle.tasks:
                    handle.moved = time.monotonic()
                handle.tasks[future] = task
            reference = handle.actor.do.remote(task)
            reference.future().add_done_callback(_ReplyHandler(self, handle, future))

    def _something_to_do(self) -> bool:
        return any(handle.broken for handle in self._handles) or self._match() is not None

    def _match(self) -> tuple[_Handle, tuple[Task, Future[TaskResult]]] | None:
        """The first task that a worker has room for, and the worker that has the fewest.

        A task that lost its worker before has the next one for itself: if it is what workers are lost by, it shall cost
        no other task its tries.
        """
        suspects = self._suspects
        able = [handle for handle in self._handles if handle.info is not None and not handle.broken]
        idle = next((handle for handle in able if not handle.tasks), None)
        free = [
            handle
            for handle in able
            if len(handle.tasks) < self._terms.ahead and not any(task.id in suspects for task in handle.tasks.values())
        ]
        freest = min(free, key=lambda handle: len(handle.tasks), default=None)
        for task, future in self._waiting:
            handle = idle if task.id in suspects else freest
            if handle is not None:
                return handle, (task, future)
        return None

    def _check_patience(self) -> None:
        """Without any worker for too long, say so instead of waiting on."""
        if any(handle.info is not None for handle in self._handles):
            self._without_worker_since = time.monotonic()
            return
        exclusive = time.monotonic() - self._without_worker_since
        if self._waiting and exclusive > self._terms.patience:
            why = f": {self._why}" if self._why else ""
            self._abandon(ClusterError(f"no worker came up on the cluster for {exclusive:.0f} s{why}"))

    def _abandon(self, error: ClusterError) -> None:
        with self._awake:
            waiting = list(self._waiting)
            self._waiting.clear()
        for _, future in waiting:
            _settle(future, error)

    # ── ends of workers and tasks ─────────────────────────────────────────────────────────────────────────────────

    def _lose(self, handle: _Handle, why: str) -> None:
        """Go on without a worker; its tasks are to be begun anew."""
        host = handle.info.host if handle.info is not None else f"node {handle.node[:8]}"
        with self._awake:
            self._suspects.update(task.id for task in handle.tasks.values())
        self._end(handle, WorkerLostError(f"the worker on {host} was lost: {why}"))

    def _end(self, handle: _Handle, error: Exception) -> None:
        with self._awake:
            if handle in self._handles:
                self._handles.remove(handle)
            tasks, handle.tasks = handle.tasks, {}
        with contextlib.suppress(Exception):  # it may be dead already, in one of many ways
            self._ray.kill(handle.actor, no_restart=True)
        for future, task in tasks.items():
            self._lost.append(task)
            with contextlib.suppress(OSError):
                task.hidden.unlink(missing_ok=True)
            _settle(future, error)

    def _on_reply(self, handle: _Handle, future: Future[TaskResult], reply: Future[Any]) -> None:
        """A call has ended, one way or another. On a thread of Ray's, so that nothing is asked of Ray here."""
        error = reply.exception()
        with self._awake:
            mine = handle.tasks.pop(future, None)
            if mine is not None and error is not None:
                handle.tasks[future] = mine  # the watcher takes it back together with its worker
                handle.broken = first_line(error)
            self._awake.notify_all()
        if mine is None or error is not None:
            return
        answer = reply.result()
        _settle(future, answer.error() if isinstance(answer, RemoteError) else answer)


@dataclass(frozen=True, slots=True)
class _ReplyHandler:
    """What is to be done when a call has ended."""

    executor: RayExecutor
    handle: _Handle
    future: Future[TaskResult]

    def __call__(self, reply: Future[Any]) -> None:
        self.executor._on_reply(self.handle, self.future, reply)


def _settle(future: Future[TaskResult], outcome: TaskResult | BaseException) -> None:
    with contextlib.suppress(InvalidStateError):  # it was settled already: a worker that was given up came back
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
