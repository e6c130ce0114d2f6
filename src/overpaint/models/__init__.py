"""Models: what there is, where it is, what kind it is, whether it is whole. Nothing here loads a weight.

`find` gives the reference that the diffusion engine loads from.
"""

from __future__ import annotations

from overpaint.errors import DownloadError, ModelError

from .catalogue import CATALOGUE, CatalogueEntry, listed
from .controls import CONTROL_KINDS, ControlKind, control_kinds, find_control
from .detect import detect, read_json, weights_in, whole_number
from .download import get
from .eraser_store import convert, default_eraser, find_eraser, is_eraser, licence_terms, waiting_eraser
from .families import config_folder, family_of, family_title, register_family
from .headers import TensorTable, read_table
from .hints import read_hints
from .network_store import find_network, networks_here
from .places import hub_snapshot, store_folder
from .references import ReferenceRefs, find_reference
from .store import (
    ModelEntry,
    ModelNote,
    add,
    entries,
    entry,
    find,
    find_lora,
    is_model_name,
    remove,
    verify,
    with_accepted,
)
from .terms import LicenceTerms, accept, accepted_on
from .values import NETWORK_TITLES, Kind, ModelRef, Prediction
from .verify import digest, known_digest
from .vocabulary import ClipVocabulary, find_vocabulary, read_vocabulary

__all__ = [
    "CATALOGUE",
    "CONTROL_KINDS",
    "NETWORK_TITLES",
    "CatalogueEntry",
    "ClipVocabulary",
    "ControlKind",
    "DownloadError",
    "Kind",
    "LicenceTerms",
    "ModelEntry",
    "ModelError",
    "ModelNote",
    "ModelRef",
    "Prediction",
    "ReferenceRefs",
    "TensorTable",
    "accept",
    "accepted_on",
    "add",
    "config_folder",
    "control_kinds",
    "convert",
    "default_eraser",
    "detect",
    "digest",
    "entries",
    "entry",
    "family_of",
    "family_title",
    "find",
    "find_control",
    "find_eraser",
    "find_lora",
    "find_network",
    "find_reference",
    "find_vocabulary",
    "get",
    "hub_snapshot",
    "is_eraser",
    "is_model_name",
    "known_digest",
    "licence_terms",
    "listed",
    "networks_here",
    "read_hints",
    "read_json",
    "read_table",
    "read_vocabulary",
    "register_family",
    "remove",
    "store_folder",
    "verify",
    "waiting_eraser",
    "weights_in",
    "whole_number",
    "with_accepted",
]
