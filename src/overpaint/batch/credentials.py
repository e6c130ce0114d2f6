"""Credentials in addresses: they would stay in the ledger, the report and the log, so they are refused."""

from __future__ import annotations

import re

from overpaint.errors import RequestError

_USER = re.compile(r"(?<=://)[^/\s?#]*@")
_SIGNED = re.compile(
    r"(?i)(?<=[?&])((?:x-(?:amz|goog|oss|cos)-(?:signature|credential|security-token)|awsaccesskeyid|googleaccessid"
    r"|signature|sig|token|access_token|sas|api_?key|key|secret|password|pwd|auth)=)[^&\s\"']+"
)
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")


def check_no_credentials(name: str, field: str) -> None:
    """Raise RequestError for an address with a user's name or password (sftp://user:secret@host), or that is signed
    (https://...?X-Amz-Signature=...). The error does not quote them.
    """
    if "://" in name and without_credentials(name) != name:
        raise RequestError(
            "{field} is an address with credentials, which would be kept in the ledger and the report: "
            + without_credentials(name),
            code="address-credentials",
            field=field,
            value=without_credentials(name),
            hint="leave them out, and give them to the store's package by environment variables or its own files",
        )


def without_credentials(text: str) -> str:
    """A text in which credentials of addresses, and ids of AWS keys, are replaced by three dots."""
    return _KEY_ID.sub("...", _SIGNED.sub(r"\1...", _USER.sub("...@", text)))
