"""A server's pictures, masks and edits from Python: the calls of a studio, done elsewhere.

`Client` is for programs without an event loop, `AsyncClient` for those with one. They speak the native API
(docs/server.md) and import nothing of the server.
"""

from ._address import OpenConnectionWarning, ServerAddress, address_of
from ._async_client import AsyncClient
from ._async_job import AsyncJob
from ._async_session import AsyncSession
from ._client import Client, studio_at
from ._connection import WaitLimits
from ._enhanced import ServedEnhancement
from ._remote_job import RemoteJob
from ._remote_session import RemoteSession
from ._remote_studio import RemoteEngine, RemoteStudio
from ._replies import FollowedEvent
from ._served import ServedEdit
from ._session_values import ServedFile, SessionListing, SessionSnapshot
from ._values import (
    JobSnapshot,
    ResultFile,
    SamplerNames,
    ServerHealth,
    ServerLoad,
    SessionTake,
    UploadedMask,
    UploadedPicture,
    UploadedSelection,
)

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncSession",
    "Client",
    "FollowedEvent",
    "JobSnapshot",
    "OpenConnectionWarning",
    "RemoteEngine",
    "RemoteJob",
    "RemoteSession",
    "RemoteStudio",
    "ResultFile",
    "SamplerNames",
    "ServedEdit",
    "ServedEnhancement",
    "ServedFile",
    "ServerAddress",
    "ServerHealth",
    "ServerLoad",
    "SessionListing",
    "SessionSnapshot",
    "SessionTake",
    "UploadedMask",
    "UploadedPicture",
    "UploadedSelection",
    "WaitLimits",
    "address_of",
    "studio_at",
]
