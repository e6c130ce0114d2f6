"""Signed manifests (C2PA): signing results, reading and verifying what files have. Extra `c2pa`."""

from __future__ import annotations

from ._credentials import SigningCredentials, anchors_of
from ._report import ManifestReport, ManifestState, ReportedAction, ReportedIngredient, preview_labels, read_manifest
from ._seal import ManifestSeal
from ._test_certificate import CertificateFiles, make_test_certificate

__all__ = [
    "CertificateFiles",
    "ManifestReport",
    "ManifestSeal",
    "ManifestState",
    "ReportedAction",
    "ReportedIngredient",
    "SigningCredentials",
    "anchors_of",
    "make_test_certificate",
    "preview_labels",
    "read_manifest",
]
