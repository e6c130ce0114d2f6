"""Who made an edit: the account that the process runs under, and what its environment says beside that."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from pydantic import Field

from overpaint.values import Value


class Operator(Value):
    """The user of a machine, and the machine's name where it is wanted.

    Attributes:
        user: The account's name by the system; None where it has none, as in some containers.
        uid: The account's number (the real user id); None where the system has no such numbers.
        claimed: What LOGNAME or USER say, where that is another name: anyone can set them.
        host: The machine's name.
    """

    user: str | None = None
    uid: Annotated[int, Field(ge=0)] | None = None
    claimed: str | None = None
    host: str | None = None

    @classmethod
    def here(cls) -> Operator:
        """The user of this process, without the machine."""
        uid = None if sys.platform == "win32" else os.getuid()
        user = _account(uid)
        claims = (os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME"))
        claimed = next((name for name in claims if name), None)
        return cls(user=user, uid=uid, claimed=None if claimed == user else _unicode(claimed))

    @property
    def words(self) -> str:
        """ "ada (uid 1000) on mill, LOGNAME says eve"; "" where nothing is known."""
        number = "" if self.uid is None else f"uid {self.uid}"
        name = f"{self.user} ({number})" if self.user and number else self.user or number
        claim = f"LOGNAME says {self.claimed}" if self.claimed else ""
        return ", ".join(part for part in (" on ".join(part for part in (name, self.host) if part), claim) if part)


def _account(uid: int | None) -> str | None:
    """The name of an account by the system, whatever the environment says."""
    try:
        if sys.platform == "win32":
            return os.getlogin()
        import pwd

        return None if uid is None else _unicode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OSError, ImportError):
        return None


def _unicode(name: str | None) -> str | None:
    """A name without the surrogates that bytes which are no UTF-8 become."""
    return None if name is None else name.encode("utf-8", "backslashreplace").decode()
