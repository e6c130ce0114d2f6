"""Connecting to a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

from overpaint.errors import ClusterError, MissingExtraError, RequestError

_STORE = 80 << 20  # bytes of shared memory, the least that Ray takes: only paths are sent
_CONNECT_TIMEOUT = 10.0  # seconds to wait for the cluster's head


@contextlib.contextmanager
def connected(where: str) -> Iterator[None]:
    """Stay connected to a cluster inside.

    Args:
        where: "auto": the cluster that RAY_ADDRESS names, or that runs on this machine; "HOST:PORT": the cluster with
            this head; "local:N": a cluster of N processors that is started here and ends with this process.

    Raises:
        MissingExtraError: Ray is not installed.
        RequestError: `where` names no cluster.
        ClusterError: The cluster can't be reached.
    """
    local = re.fullmatch(r"local:([1-9]\d{0,3})", where)
    if local is None and where != "auto" and not re.fullmatch(r"(?!local:)[\w.\-\[\]:]+:\d{1,5}", where):
        raise RequestError(f"a cluster is 'auto', HOST:PORT or local:N with N processors, not {where!r}")
    # Ray reports its usage to its makers' server unless this is 0; nothing here uses the network unless asked to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError.of("a cluster", "ray") from None
    if ray.is_initialized():
        yield
        return
    _check_reachable(os.environ.get("RAY_ADDRESS", "") if where == "auto" else where)
    start: dict[str, Any] = {"address": where}
    if local is not None:
        start = {"address": "local", "num_cpus": int(local[1]), "object_store_memory": _STORE}
    try:
        ray.init(include_dashboard=False if local else None, log_to_driver=False, logging_level="ERROR", **start)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(f"the cluster {where} can't be reached: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(head: str) -> None:
    """Raise ClusterError within seconds when nothing answers at HOST:PORT; Ray itself tries for minutes."""
    host, _, port = head.rpartition(":")
    if not host or not port.isdecimal() or host == "local" or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"the cluster {head} can't be reached: {error}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error of Ray's, without the pages that follow."""
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
