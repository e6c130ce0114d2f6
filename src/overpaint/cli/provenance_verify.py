"""`overpaint provenance verify` and `make-test-certificate`: signed manifests (C2PA)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from .options import OUT, PICTURE, PRINTED_UNSET, Debug, Printed, argument
from .streams import as_written, load
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from overpaint.record.c2pa import ManifestReport

TRUSTED, INVALID, UNTRUSTED, UNSIGNED = 0, 1, 3, 4
"""Exit status of `verify`."""

_TRUST = Group("Trust", sort_key=1)

AnyFile = Annotated[str, argument("FILE", "The picture; - reads it from standard input.", PICTURE)]


def verify(
    file: AnyFile,
    /,
    *,
    anchor: Annotated[tuple[str, ...], Parameter(group=_TRUST, metavar="FILE.pem")] = (),
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Whether a file's signed manifest (C2PA) is sound, and whether its signer is trusted. Nothing is fetched.

    [dim]$[/] overpaint provenance verify photo.remove.jpg --anchor test-anchor.pem

    Exit status: 0 trusted, 1 not valid, 2 not looked at: no picture, or it can't be read, 3 valid, but no anchor
    vouches for the signer, 4 no manifest in the picture.

    Args:
        anchor: Trust the signers that this certificate vouches for. May be given again. Left out, none is trusted.
    """
    from overpaint.errors import InputError, OverpaintError

    try:
        report = _report_on(file, anchor)
    except InputError:
        raise
    except OverpaintError as error:  # exit status 1 would say that the file was looked at and is not valid
        raise InputError(error.message, code=error.code, value=error.value, hint=error.hint) from error
    if printed.json:
        print_json(_mapping(file, report))
    elif not printed.quiet:
        unsigned = [("manifest", "none: the file is not signed, which says nothing about it")]
        print_rows([("file", as_written(file)), *(unsigned if report is None else report.lines())])
    return status_of(report)


def _report_on(file: str, anchor: Iterable[str]) -> ManifestReport | None:
    from overpaint.errors import PictureError
    from overpaint.picture import format_of, open_picture
    from overpaint.picture.c2pa_store import check_whole
    from overpaint.picture.open import read_whole
    from overpaint.record.c2pa import anchors_of, read_manifest

    anchors = anchors_of(Path(one) for one in anchor)
    data = read_whole(load(file))
    format = format_of(data)
    if format is None:
        open_picture(load(file))  # says what the file is instead of a picture
    report = read_manifest(data, format, anchors=anchors)
    if report is None:
        try:
            check_whole(data, format)
        except PictureError as error:
            raise error.within(as_written(file)) from None
    return report


def status_of(report: ManifestReport | None) -> int:
    """The exit status for what was found."""
    if report is None or report.state == "elsewhere":
        return UNSIGNED
    return {"trusted": TRUSTED, "untrusted": UNTRUSTED}.get(report.state, INVALID)


def _mapping(file: str, report: ManifestReport | None) -> dict[str, Any]:
    unsigned = {"state": "unsigned", "problems": []}
    return {"file": as_written(file), **(unsigned if report is None else report.to_mapping())}


def make_test_certificate(
    folder: Annotated[str, argument("DIR", "The folder of the files; made where it is missing.", OUT)],
    /,
    *,
    debug: Debug = False,
) -> int:
    """Make a certificate of your own for trying signatures out. No public verifier trusts it: they will say that the
    signer is not known. For signatures that others trust, get a certificate from an issuer on the C2PA trust list.

    [dim]$[/] overpaint provenance make-test-certificate certificate
    """
    from overpaint.record.c2pa import make_test_certificate as made

    files = made(Path(folder))
    print_rows(
        [
            ("certificate", f"{files.certificate} (--c2pa-cert)"),
            ("private key", f"{files.key} (--c2pa-key); only you can read it"),
            ("anchor", f"{files.anchor} (verify --anchor)"),
            ("valid until", f"{files.expires:%Y-%m-%d}"),
        ]
    )
    print("This is for tests: no public verifier trusts it.", file=sys.stderr)
    return 0
