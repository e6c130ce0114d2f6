"""What the options that sign results mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.errors import RequestError

if TYPE_CHECKING:
    from overpaint.record.c2pa import ManifestSeal

    from .result_options import Signing


def seal_of(signing: Signing) -> ManifestSeal | None:
    """What signs the results; None where they are not signed.

    Raises:
        RequestError: Options don't go together.
    """
    pair = {"c2pa_cert": signing.c2pa_cert, "c2pa_key": signing.c2pa_key}
    missing = [name for name, given in pair.items() if given is None]
    if len(missing) == 2:
        for field, given in (("c2pa_timestamp", signing.c2pa_timestamp), ("c2pa_thumbnails", signing.c2pa_thumbnails)):
            if given:
                raise RequestError("{field} is about signing: give --c2pa-cert and --c2pa-key too", field=field)
        return None
    if missing:
        (given,) = pair.keys() - missing
        message = f"{{field}} needs --{missing[0].replace('_', '-')} too: a certificate and its key sign together"
        raise RequestError(message, field=given, value=pair[given])
    address = signing.c2pa_timestamp or ""
    if address and not address.startswith(("http://", "https://")):
        raise RequestError(f"{{field}} takes an address, not {address!r}", field="c2pa_timestamp", value=address)
    from overpaint.record.c2pa import ManifestSeal

    return ManifestSeal(
        # absolute: other processes of a batch read the files too
        Path(signing.c2pa_cert or "").absolute(),
        Path(signing.c2pa_key or "").absolute(),
        timestamp=address,
        thumbnails=signing.c2pa_thumbnails,
    )


def check_signing(signing: Signing) -> None:
    """Find out before any work whether the options can sign; see `ManifestSeal.check`.

    Raises:
        RequestError, CredentialsError, MissingExtraError: They can't.
    """
    seal = seal_of(signing)
    if seal is not None:
        # by the names that were given, as errors have them
        replace(seal, certificate=Path(signing.c2pa_cert or ""), key=Path(signing.c2pa_key or "")).check()
