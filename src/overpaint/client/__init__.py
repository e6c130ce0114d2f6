"""A server's pictures, masks and edits from Python: the calls of a studio, done elsewhere.

`Client` is for programs without an event loop, `AsyncClient` for those with one. They speak the native API
(docs/server.md) and import nothing of the server.
"""

from ._address import OpenConnectionWarning, ServerAddress, address_of
from ._async_client import AsyncClient, AsyncJob
from ._client import Client, RemoteJob, studio_at
from ._connection import WaitLimits
from ._remote_studio import RemoteEngine, RemoteStudio
from ._replies import FollowedEvent
from ._served import ServedEdit
from ._values import (
    JobSnapshot,
    ResultFile,
    SamplerNames,
    ServerHealth,
    ServerLoad,
    SessionTake,
    UploadedMask,
    UploadedPicture,
)

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Client",
    "FollowedEvent",
    "JobSnapshot",
    "OpenConnectionWarning",
    "RemoteEngine",
    "RemoteJob",
    "RemoteStudio",
    "ResultFile",
    "SamplerNames",
    "ServedEdit",
    "ServerAddress",
    "ServerHealth",
    "ServerLoad",
    "SessionTake",
    "UploadedMask",
    "UploadedPicture",
    "WaitLimits",
    "address_of",
    "studio_at",
]
