"""The request with every default filled in, by which edits are cached, resumed and replayed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from overpaint.values import Listed, Upgrade, Value, digest_of

from ._blob import without_codes
from ._edit import MOST_SEED, RequestFields
from ._models import UsedModel
from ._sampling import SAMPLING_SETTINGS, Sampling
from ._types import Area, Dialect, PaintsFrom
from ._upgrade import RESOLVED_SCHEMA, RESOLVED_UPGRADES
from .intents import AlphaRule, ContextRule, EdgeRule, Intent


class ResolvedRequest(RequestFields):
    """A request with every default filled in. None: automatic (padding, grow, feather), no limit, or not used.

    Attributes:
        engine: The engine's name.
        engine_digest: Digest of its weights and version.
        paints_from: The engine's source: the picture's "surroundings", a "prompt", or its "settings" alone.
        models: Every file of weights that is used: the checkpoint, another VAE, LoRAs, textual inversions.
        edge: How grow and feather follow where they are None (see `intents`).
        context: How the padding follows where it is None.
        detail: How good a match added detail needs (see `intents`), or "none"; None for an engine that paints at the
            picture's own size, where no detail is lost.

    The other fields are those of EditRequest; those that always have a value are required.
    """

    label: ClassVar[str] = "the resolved request"
    upgrades: ClassVar[Mapping[int, Upgrade]] = RESOLVED_UPGRADES

    schema_: Annotated[int, Field(alias="schema", ge=RESOLVED_SCHEMA, le=RESOLVED_SCHEMA)] = RESOLVED_SCHEMA
    intent: Intent
    engine: str
    engine_digest: str
    paints_from: PaintsFrom
    models: Listed[tuple[UsedModel, ...]] = ()
    options: Mapping[str, JsonValue] = {}
    area: Area
    context: ContextRule
    edge: EdgeRule
    strict: bool
    alpha: AlphaRule
    colour_match: bool
    seam: bool
    exact: bool
    inverts_mask: bool
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] | None = None
    dialect: Dialect

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
        if self.regional_prompts:
            given["regional_prompts"] = tuple(one.text for one in self.regional_prompts)
        return Sampling(**given, exact=self.exact) if given.keys() - {"dialect"} else None


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
