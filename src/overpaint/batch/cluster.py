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
from .hand import Hand, Hello, Trouble
from .task import Made, Task

_SURVEY = 1.0  # seconds between two looks at which nodes there are
_PULSE = 5.0  # seconds between two questions whether a worker gets on
_TRIES = 3  # how often a worker may fail to come up on a node before the node is left alone
_LANDING = 5.0  # seconds that workers have to call their tasks off


@dataclass(frozen=True, slots=True)
class Terms:
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
class _Post:
    """A worker from here: its actor, its node, and the tasks that it has."""

    actor: Any
    node: str
    greeting: Any
    hello: Hello | None = None
    tasks: dict[Future[Made], Task] = field(default_factory=dict)
    steps: int = -1
    moved: float = field(default_factory=time.monotonic)
    asked: Any = None
    broken: str = ""


class RayCrew:
    """Does tasks on a cluster that this process is connected to (see `connect`). A context manager that ends it."""

    def __init__(self, make: Callable[[], Studio], terms: Terms | None = None) -> None:
        """Workers are started at once, and tasks wait for the first.

        Args:
            make: Makes a worker's studio; must be something that Ray can send, such as `partial(Studio, threads=1)`.
            terms: What workers get.
        """
        import ray

        self._ray = ray
        self._terms = terms or Terms()
        self._make = ray.put(make)
        self._posts: list[_Post] = []
        self._waiting: deque[tuple[Task, Future[Made]]] = deque()
        self._tries: dict[str, int] = {}
        self._why = ""
        self._lost: list[Task] = []
        self._suspects: set[str] = set()
        self._awake = threading.Condition()
        self._ending = False
        self._surveyed = self._pulsed = float("-inf")
        self._alone_since = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, name="overpaint-cluster", daemon=True)
        self._watcher.start()

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ahead(self) -> int:
        """As many tasks as the workers that are there now have room for."""
        with self._awake:
            return max(1, sum(post.hello is not None for post in self._posts)) * self._terms.ahead

    @property
    def workers(self) -> tuple[Hello, ...]:
        """Those that are there now."""
        with self._awake:
            return tuple(post.hello for post in self._posts if post.hello is not None)

    def start(self, task: Task) -> Future[Made]:
        """Hand a task to the worker that has the fewest, or keep it until one has room."""
        future: Future[Made] = Future()
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
            posts, waiting = list(self._posts), list(self._waiting)
            self._waiting.clear()
            self._awake.notify_all()
        self._watcher.join()
        for _, future in waiting:
            _settle(future, Cancelled("it was called off"))
        with contextlib.suppress(self._ray.exceptions.RayError):
            for post in posts:
                post.actor.cancel.remote()
        self._land(posts)
        for post in posts:
            self._end(post, Cancelled("it was called off"))
        for task in self._lost:
            # Again, now that the workers are gone: one that was given up may have written after it was.
            with contextlib.suppress(OSError):
                task.hidden.unlink(missing_ok=True)

    def _land(self, posts: list[_Post]) -> None:
        over = time.monotonic() + _LANDING
        with self._awake:
            while any(post.tasks for post in posts) and time.monotonic() < over:
                self._awake.wait(timeout=0.1)

    # ── the watcher's thread ──────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        while not self._ending:
            try:
                self._bury()
                self._survey()
                self._greet()
                self._pulse()
                self._hand_out()
                self._give_up_alone()
            except Exception as error:  # Ray's own errors are many; whatever it is, no task may wait for ever
                self._abandon(ClusterError(f"the cluster can't be used any more: {type(error).__name__}: {error}"))
            with self._awake:
                if not self._ending and not self._something_to_do():
                    self._awake.wait(timeout=0.2)

    def _bury(self) -> None:
        """Take back the tasks of workers that died."""
        for post in [post for post in self._posts if post.broken]:
            self._lose(post, post.broken)

    def _survey(self) -> None:
        """Start workers where there is room for one, and drop those whose node is gone."""
        if time.monotonic() - self._surveyed < _SURVEY:
            return
        self._surveyed = time.monotonic()
        alive = {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}
        for post in [post for post in self._posts if post.node not in alive]:
            self._lose(post, "its node is gone")
        for node, resources in alive.items():
            if self._tries.get(node, 0) >= _TRIES:
                continue
            here = sum(post.node == node for post in self._posts)
            wanted, options = self._room(resources)
            for _ in range(wanted - here):
                self._hire(node, options)

    def _room(self, resources: dict[str, float]) -> tuple[int, dict[str, float]]:
        """How many workers a node takes, and what each of them gets."""
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        if self._terms.gpus and gpus:
            return gpus, {"num_gpus": 1, "num_cpus": min(1, cpus // gpus)}
        return cpus // self._terms.cpus, {"num_cpus": self._terms.cpus}

    def _hire(self, node: str, options: dict[str, float]) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = (
            self._ray.remote(Hand)
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
            self._posts.append(_Post(actor, node, actor.hello.remote()))

    def _greet(self) -> None:
        """Take in workers that have come up, if they are of our version."""
        for post in [post for post in self._posts if post.hello is None]:
            if not self._ray.wait([post.greeting], timeout=0)[0]:
                continue
            try:
                hello: Hello = self._ray.get(post.greeting)
            except self._ray.exceptions.RayError as error:
                self._fail_to_come_up(post, first_line(error))
                continue
            if hello.version != version():
                self._fail_to_come_up(post, f"Overpaint is {hello.version} there and {version()} here")
                continue
            with self._awake:
                post.hello = hello
                post.moved = time.monotonic()
            self._tries.pop(post.node, None)

    def _fail_to_come_up(self, post: _Post, why: str) -> None:
        self._tries[post.node] = self._tries.get(post.node, 0) + 1
        self._why = why
        self._lose(post, why)

    def _pulse(self) -> None:
        """Give up workers that have tasks and get on with none."""
        if time.monotonic() - self._pulsed < min(_PULSE, self._terms.stall / 4):
            return
        self._pulsed = time.monotonic()
        for post in [post for post in self._posts if post.hello is not None]:
            if post.asked is not None and self._ray.wait([post.asked], timeout=0)[0]:
                try:
                    steps = self._ray.get(post.asked)
                except self._ray.exceptions.RayError:
                    self._lose(post, "it died")
                    continue
                post.asked = None
                if steps != post.steps or not post.tasks:
                    post.steps, post.moved = steps, time.monotonic()
            if time.monotonic() - post.moved > self._terms.stall:
                self._lose(post, f"it got on with nothing for {self._terms.stall:g} s")
            elif post.asked is None:
                post.asked = post.actor.pulse.remote()

    def _hand_out(self) -> None:
        while True:
            with self._awake:
                match = self._match()
                if match is None or self._ending:
                    return
                post, (task, future) = match
                self._waiting.remove((task, future))
                if not post.tasks:
                    post.moved = time.monotonic()
                post.tasks[future] = task
            reference = post.actor.do.remote(task)
            reference.future().add_done_callback(_Landing(self, post, future))

    def _something_to_do(self) -> bool:
        return any(post.broken for post in self._posts) or self._match() is not None

    def _match(self) -> tuple[_Post, tuple[Task, Future[Made]]] | None:
        """The first task that a worker has room for, and the worker that has the fewest.

        A task that lost its worker before has the next one for itself: if it is what workers are lost by, it shall cost
        no other task its tries.
        """
        suspects = self._suspects
        able = [post for post in self._posts if post.hello is not None and not post.broken]
        idle = next((post for post in able if not post.tasks), None)
        free = [
            post
            for post in able
            if len(post.tasks) < self._terms.ahead and not any(task.id in suspects for task in post.tasks.values())
        ]
        freest = min(free, key=lambda post: len(post.tasks), default=None)
        for task, future in self._waiting:
            post = idle if task.id in suspects else freest
            if post is not None:
                return post, (task, future)
        return None

    def _give_up_alone(self) -> None:
        """Without any worker for too long, say so instead of waiting on."""
        if any(post.hello is not None for post in self._posts):
            self._alone_since = time.monotonic()
            return
        alone = time.monotonic() - self._alone_since
        if self._waiting and alone > self._terms.patience:
            why = f": {self._why}" if self._why else ""
            self._abandon(ClusterError(f"no worker came up on the cluster for {alone:.0f} s{why}"))

    def _abandon(self, error: ClusterError) -> None:
        with self._awake:
            waiting = list(self._waiting)
            self._waiting.clear()
        for _, future in waiting:
            _settle(future, error)

    # ── ends of workers and tasks ─────────────────────────────────────────────────────────────────────────────────

    def _lose(self, post: _Post, why: str) -> None:
        """Go on without a worker; its tasks are to be begun anew."""
        host = post.hello.host if post.hello is not None else f"node {post.node[:8]}"
        with self._awake:
            self._suspects.update(task.id for task in post.tasks.values())
        self._end(post, WorkerLostError(f"the worker on {host} was lost: {why}"))

    def _end(self, post: _Post, error: Exception) -> None:
        with self._awake:
            if post in self._posts:
                self._posts.remove(post)
            tasks, post.tasks = post.tasks, {}
        with contextlib.suppress(Exception):  # it may be dead already, in one of many ways
            self._ray.kill(post.actor, no_restart=True)
        for future, task in tasks.items():
            self._lost.append(task)
            with contextlib.suppress(OSError):
                task.hidden.unlink(missing_ok=True)
            _settle(future, error)

    def _landed(self, post: _Post, future: Future[Made], reply: Future[Any]) -> None:
        """A call has ended, one way or another. On a thread of Ray's, so that nothing is asked of Ray here."""
        error = reply.exception()
        with self._awake:
            mine = post.tasks.pop(future, None)
            if mine is not None and error is not None:
                post.tasks[future] = mine  # the watcher takes it back together with its worker
                post.broken = first_line(error)
            self._awake.notify_all()
        if mine is None or error is not None:
            return
        answer = reply.result()
        _settle(future, answer.error() if isinstance(answer, Trouble) else answer)


@dataclass(frozen=True, slots=True)
class _Landing:
    """What is to be done when a call has ended."""

    crew: RayCrew
    post: _Post
    future: Future[Made]

    def __call__(self, reply: Future[Any]) -> None:
        self.crew._landed(self.post, self.future, reply)


def _settle(future: Future[Made], outcome: Made | BaseException) -> None:
    with contextlib.suppress(InvalidStateError):  # it was settled already: a worker that was given up came back
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
