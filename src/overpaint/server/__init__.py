"""The server: one queue of edits over one studio, and a native API.

`Server` is an ASGI application with its queue; `serve` runs it until a signal stops it. The rest of the library does
not import this package, so that the web framework is loaded with it only.
"""

from __future__ import annotations

from .app import Server
from .described import PREFIX
from .keys import ApiKeys, Caller, new_key
from .running import serve
from .settings import ServerSettings

__all__ = ["PREFIX", "ApiKeys", "Caller", "Server", "ServerSettings", "new_key", "serve"]
