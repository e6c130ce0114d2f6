"""How a browser gets in where a server has keys: a token in a URL, used once, becomes a cookie of its own.

A cookie is SameSite=Strict: a browser sends it with requests of our own page alone. It is not the key, and ends with
the server.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from .keys import Caller

COOKIE = "overpaint"

_ONCE = 600.0
"""Seconds in which a token can be used."""

_MOST = 1000
"""Cookies that hold; beyond these the oldest ends."""

_MOST_OF_ONE = 32
"""The same of one caller, so that nobody ends another's."""


class BrowserTokens:
    """Tokens that were given out, and the cookies that they became. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[Caller, float]] = {}
        self._cookies: dict[str, Caller] = {}

    def token(self, caller: Caller) -> str:
        """A new token, for `/?token=TOKEN`."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens = {one: found for one, found in self._tokens.items() if found[1] > self._clock()}
            self._tokens[made] = (caller, self._clock() + _ONCE)
        return made

    def cookie(self, token: str) -> str | None:
        """The value of the cookie for a token, which can't be used again; None for one that is unknown, used or old."""
        with self._lock:
            found = next((one for one in self._tokens if hmac.compare_digest(one.encode(), token.encode())), None)
            if found is None:
                return None
            caller, until = self._tokens.pop(found)
            if self._clock() > until:
                return None
            made = secrets.token_urlsafe(32)
            own = [one for one, whose in self._cookies.items() if whose.name == caller.name]
            for oldest in own[: max(0, len(own) + 1 - _MOST_OF_ONE)]:
                del self._cookies[oldest]
            while len(self._cookies) >= _MOST:
                del self._cookies[next(iter(self._cookies))]
            self._cookies[made] = caller
        return made

    def caller(self, header: str | None) -> Caller | None:
        """Whose browser sends this Cookie header; None for nobody's."""
        if header is None:
            return None
        try:
            sent = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return None
        if sent is None:
            return None
        with self._lock:
            known = list(self._cookies.items())
        matching = [caller for value, caller in known if hmac.compare_digest(value.encode(), sent.value.encode())]
        return matching[0] if matching else None
