"""Errors that only a server has, each with its HTTP status. They are in the one tree, as clients raise them as well."""

from __future__ import annotations

from overpaint.errors import (
    ChangedError,
    ConflictError,
    NotAllowedError,
    NotFoundError,
    ServerError,
    StorageFullError,
    TooManyJobsError,
)

__all__ = [
    "ChangedError",
    "ConflictError",
    "NotAllowedError",
    "NotFoundError",
    "ServerError",
    "StorageFullError",
    "TooManyJobsError",
]
