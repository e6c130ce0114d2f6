"""The request with every default filled in, by which edits are cached, resumed and replayed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from overpaint.values import Listed, Value, as_mapping, digest_of, parse_json

from ._blob import Blob
from ._control import Control
from ._edit import MOST_SEED, EditRequest, without_codes
from ._models import UsedModel
from ._parts import MaskSpec
from ._sampling import SAMPLING_SETTINGS, Sampling
from ._types import Area, Dialect, PaintsFrom
from ._upgrade import RESOLVED_SCHEMA, RESOLVED_UPGRADES, upgraded
from .intents import AlphaRule, ContextRule, DetailRule, EdgeRule, Intent, MaskedContent


class ResolvedRequest(Value):
    """A request with every default filled in. None: automatic (padding, grow, feather), no limit, or not used.

    Attributes:
        engine: The engine's name.
        engine_digest: Digest of its weights and version.
        paints_from: The engine's source: the picture's "surroundings" or a "prompt".
        models: Every file of weights that is used: the checkpoint, another VAE, LoRAs, textual inversions.
        edge: How grow and feather follow where they are None (see `intents`).
        context: How the padding follows where it is None.
        detail: How good a match added detail needs (see `intents`), or "none"; None for an engine that paints at the
            picture's own size, where no detail is lost.

    The other fields are those of EditRequest.
    """

    schema_: Annotated[int, Field(alias="schema", ge=RESOLVED_SCHEMA, le=RESOLVED_SCHEMA)] = RESOLVED_SCHEMA
    intent: Intent
    engine: str
    engine_digest: str
    paints_from: PaintsFrom
    model: str | None = None
    models: Listed[tuple[UsedModel, ...]] = ()
    options: Mapping[str, JsonValue] = {}

    image: Blob | None = None
    mask: MaskSpec | None = None
    sketch: Blob | None = None
    controls: Listed[tuple[Control, ...]] | None = None
    margins: Listed[tuple[int, int, int, int]] | None = None

    size: int | None = None
    area: Area
    context: ContextRule
    padding: int | None = None
    edge: EdgeRule
    grow: float | None = None
    feather: float | None = None
    strict: bool
    reach_limit: int | None = None
    follow_effects: bool | None = None
    alpha: AlphaRule
    colour_match: bool
    seam: bool
    detail: DetailRule | Literal["none"] | None = None
    exact: bool
    inverts_mask: bool
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)]
    dialect: Dialect

    prompt: str | None = None
    negative_prompt: str | None = None
    strength: float | None = None
    masked_content: MaskedContent | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    guidance_rescale: float | None = None
    guidance_interval: Listed[tuple[float, float]] | None = None
    sampler: str | None = None
    scheduler: str | None = None
    clip_skip: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, table: Any) -> Any:
        return upgraded(table, RESOLVED_UPGRADES, RESOLVED_SCHEMA) if isinstance(table, Mapping) else table

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the pixels, apart from the machine."""
        mapping = self.to_mapping()
        mapping["models"] = [{name: model[name] for name in ("role", "sha256")} for model in mapping["models"]]
        return digest_of(without_codes(mapping))

    @property
    def sampling(self) -> Sampling | None:
        """The settings of sampling; None where the engine accepted none of them."""
        given = {name: getattr(self, name) for name in SAMPLING_SETTINGS}
        given = {name: value for name, value in given.items() if value is not None}
        return Sampling(**given, exact=self.exact) if given.keys() - {"dialect"} else None

    def settings(self) -> dict[str, Any]:
        """The fields of a request that leaves nothing open: resolving it gives this value again."""
        names = [name for name in EditRequest.model_fields if name != "schema_"]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON text."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, indent=indent)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> ResolvedRequest:
        """From the table that `to_mapping` gives."""
        return cls(**as_mapping(mapping, "the resolved request"))

    @classmethod
    def from_json(cls, text: str | bytes) -> ResolvedRequest:
        """From the text that `to_json` gives."""
        return cls.from_mapping(as_mapping(parse_json(text, "the resolved request"), "the resolved request"))

    def __hash__(self) -> int:
        return hash(self.digest)


class Execution(Value):
    """On what an edit ran; the last bits of pixels may depend on it.

    Attributes:
        device: "cpu", "cuda:0 NVIDIA H200", "mps".
        dtype: The networks' number type: "float32", "bfloat16"; "" for none.
        threads: Threads of one worker.
        exact: Whether exact mode was on.
        versions: Versions of the packages that calculate, by name.
    """

    device: str = "cpu"
    dtype: str = ""
    threads: Annotated[int, Field(ge=1)] = 1
    exact: bool = False
    versions: Mapping[str, str] = {}


def draw_seed(seed: int | None = None) -> int:
    """The seed to paint with. For None and -1 it is drawn below 2**32, a range that other tools take as well."""
    return secrets.randbelow(1 << 32) if seed is None or seed == -1 else seed
