"""Errors that only a server has, each with its HTTP status."""

from __future__ import annotations

from overpaint.errors import OverpaintError


class ServerError(OverpaintError):
    """A request that a server can't do."""

    code = "server-refused"
    status: int = 400


class NotFoundError(ServerError):
    """There is no such thing, or it belongs to somebody else."""

    code = "not-found"
    status = 404


class ConflictError(ServerError):
    """The thing is in a state in which this can't be done."""

    code = "conflict"
    status = 409


class ChangedError(ServerError):
    """The thing was changed since the caller saw it; `value` is its present version."""

    code = "changed-meanwhile"
    status = 412


class TooManyJobsError(ServerError):
    """The limit of jobs is reached.

    Attributes:
        retry_after: Seconds after which another try is likely to pass.
    """

    code = "too-many-jobs"
    status = 429
    retry_after: int = 5


class StorageFullError(ServerError):
    """The client's stored pictures have the size that they may have."""

    code = "storage-full"
    status = 507


class NotAllowedError(ServerError):
    """The key does not allow it."""

    code = "not-allowed"
    status = 403
