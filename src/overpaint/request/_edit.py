"""The request: one frozen, strict value, the same in Python, JSON and TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from overpaint.errors import RequestError
from overpaint.geometry import Margins
from overpaint.other_names import SETTING_ALIASES, VALUE_ALIASES
from overpaint.values import Listed, Upgrade, Value, as_mapping, digest_of, parse_json, upgraded

from ._blob import Blob, eight_bit, without_codes
from ._control import Control
from ._options import option_table
from ._parts import MaskSpec
from ._regional import MOST_REGIONS, RegionalPrompt
from ._types import MOST_PROMPT, Area, Dialect, Fraction, Name, Preset, Sigma
from ._upgrade import SCHEMA, UPGRADES
from .intents import INTENTS, AlphaRule, Intent, IntentRule, MaskedContent

MOST_MARGIN = 1 << 16
MOST_SEED = (1 << 63) - 1

PRIVATE_SETTINGS = ("prompt", "negative_prompt", "regional_prompts")
"""Settings whose values are kept out of every file in private mode."""

MarginPixels = Annotated[int, Field(ge=0, le=MOST_MARGIN)]
Side = Annotated[int, Field(ge=8, le=8192)]


def setting(text: str, *, left_open: str, unit: str = "", default: Any = None, **rules: Any) -> Any:
    """A field that may be left open.

    Args:
        text: What it does.
        left_open: What happens where it is left open.
        unit: "px" or "".
        default: Its value where it is left open; None where it follows from others.
        **rules: pydantic's, for its range.
    """
    return Field(default=default, description=text, json_schema_extra={"left_open": left_open, "unit": unit}, **rules)


def _ordered(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    if interval is not None and interval[0] > interval[1]:
        raise RequestError(f"must go from the smaller to the larger number, not {interval[0]} to {interval[1]}")
    return interval


def _both_ways(given: object) -> object:
    """One number as a pair."""
    return (given, given) if isinstance(given, int | float) and not isinstance(given, bool) else given


def _network_of_faces(given: object) -> object:
    """The name of a network: true and false, as tables and other tools have it, are "auto" and none."""
    return ("auto" if given else None) if isinstance(given, bool) else given


class RequestFields(Value):
    """The fields that requests and resolved requests share, and their JSON."""

    label: ClassVar[str] = "the request"
    """Its name in errors."""

    upgrades: ClassVar[Mapping[int, Upgrade]] = UPGRADES
    """From tables of older schemas, by version."""

    setting_aliases: ClassVar[Mapping[str, str]] = SETTING_ALIASES
    value_aliases: ClassVar[Mapping[str, Mapping[str, str]]] = VALUE_ALIASES

    schema_: int = setting(
        "version of this form", left_open=str(SCHEMA), default=SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA
    )
    intent: Intent = setting(
        "the purpose of the edit; settings that are left open follow from it", left_open="custom", default="custom"
    )

    image: Blob | None = setting("the picture, by the digest of its pixels", left_open="the picture given beside it")
    mask: MaskSpec | None = setting(
        "where to repaint: 1 or white is repainted", left_open="the mask given beside it; the margins when expanding"
    )
    avoid: MaskSpec | None = setting(
        "pixels of the picture that must not be copied or continued: 1 or white is avoided", left_open="none"
    )
    sketch: Annotated[Blob | None, eight_bit(4)] = setting(
        "strokes with alpha (RGBA, the picture's size), laid over the picture before it is painted", left_open="none"
    )
    insert: Blob | None = setting(
        "a picture to put in, RGB or RGBA in sRGB, of any size: the new background, with alpha the object to add, or "
        "what has the new colour",
        left_open="none",
    )
    controls: Listed[tuple[Control, ...]] | None = setting(
        "what guides an engine that accepts it: maps (edges, lines, depth, a pose), given or made from the picture",
        left_open="none",
        max_length=16,
    )
    margins: Listed[tuple[MarginPixels, MarginPixels, MarginPixels, MarginPixels]] | None = setting(
        f"how much the picture grows: left, top, right, bottom, each 0 to {MOST_MARGIN}",
        left_open="not at all",
        unit="px",
    )

    prompt: str | None = setting("what to paint", left_open="empty, or the intent's own", max_length=MOST_PROMPT)
    negative_prompt: str | None = setting("what not to paint", left_open="empty", max_length=MOST_PROMPT)
    regional_prompts: Listed[tuple[RegionalPrompt, ...]] | None = setting(
        "prompts for parts of the picture, each with the mask of its part; the prompt holds in the rest",
        left_open="none: the prompt holds everywhere",
        max_length=MOST_REGIONS,
    )
    engine: Name | None = setting("the engine that paints", left_open="the intent's default")
    model: Name | None = setting("a checkpoint; implies its engine", left_open="the engine's default")
    options: Annotated[Mapping[str, JsonValue] | None, AfterValidator(option_table)] = setting(
        "settings that only this engine knows, by name", left_open="the engine's defaults"
    )

    size: int | None = setting(
        "the working size, as the side of a square: a smaller one is faster and coarser",
        left_open="the engine's native size, or more where the frame has more",
        unit="px",
        ge=64,
        le=8192,
    )
    working_size: Listed[tuple[Side, Side]] | None = setting(
        "in the dialect webui alone: width and height that what is seen is painted at, rounded down to what the model "
        "takes",
        left_open="a square of the setting size; of the whole picture its own size",
        unit="px",
    )
    area: Area | None = setting(
        "paint on the masked area at full size, or on the whole picture at once",
        left_open="masked; whole for a new background",
    )
    padding: int | None = setting(
        "how far an engine sees beyond the mask's box",
        left_open="automatic, by engine and intent",
        unit="px",
        ge=0,
        le=1 << 16,
    )
    grow: float | None = setting(
        "how far repainting goes beyond the mask", left_open="automatic, by the region's scale; 0 for a soft mask",
        unit="px", ge=0, le=4096,
    )  # fmt: skip
    mask_blur: Annotated[Listed[tuple[Sigma, Sigma]] | None, BeforeValidator(_both_ways)] = setting(
        "in the dialect webui alone: the Gaussian blur of the mask, across and down; one number counts for both",
        left_open="4 in the dialect webui",
        unit="px",
    )
    feather: float | None = setting(
        "how wide the outward fade from new to old is", left_open="automatic, by the region's scale; 0 for a soft mask",
        unit="px", ge=0, le=4096,
    )  # fmt: skip
    strict: bool | None = setting(
        "change nothing beyond the mask itself; in a JPEG, the blocks (8 or 16 pixels wide) that the mask touches are "
        "coded again; and refuse a damaged picture",
        left_open="false",
    )
    reach_limit: int | None = setting(
        "how far from the mask anything may change at the most; a JPEG is coded in whole blocks of 8 or 16 pixels, "
        "which may go beyond",
        left_open="96; none where grow or feather is given",
        unit="px",
        ge=0,
        le=1 << 16,
    )

    follow_effects: bool | None = setting(
        "also paste what the engine changed beyond the mask (shadows, reflections), within the reach limit",
        left_open="false",
    )

    strength: float | None = setting(
        "how far painting departs from the masked content: 0 keeps it, 1 replaces it", left_open="by intent", ge=0, le=1
    )
    steps: int | None = setting("denoising steps", left_open="the model's usual, else 25", ge=1, le=1000)
    guidance_scale: float | None = setting(
        "scale of classifier-free guidance, towards the prompt and away from the negative prompt; 1 is none",
        left_open="the model's usual, else 7.5",
        ge=0,
        le=100,
    )
    guidance_rescale: float | None = setting(
        "how far guided values are scaled back to the unguided spread, against overexposure",
        left_open="the model's usual, else 0",
        ge=0,
        le=1,
    )
    guidance_interval: Annotated[Listed[tuple[Fraction, Fraction]] | None, AfterValidator(_ordered)] = setting(
        "the part of the steps that guidance acts on: from, to, each 0 to 1", left_open="0, 1: all steps"
    )
    sampler: Name | None = setting("how the steps are taken", left_open="the model's usual, else DPM++ 2M")
    scheduler: Name | None = setting(
        "how the noise levels are spaced",
        left_open="the model's usual, else Karras; with a sampler named, what goes with that one",
    )
    clip_skip: int | None = setting(
        "which of the text encoder's layers, counted from the last, is read",
        left_open="the model's usual, else 1",
        ge=1,
        le=12,
    )
    seed: int | None = setting(
        "seed of the random numbers; -1 draws one", left_open="drawn, and recorded", ge=-1, le=MOST_SEED
    )
    masked_content: MaskedContent | None = setting("what painting starts from in the hole", left_open="by intent")
    dialect: Dialect | None = setting("the tool whose arithmetic is followed exactly", left_open="native")

    alpha: AlphaRule | None = setting(
        "keep the picture's alpha, or lay what is painted under what is left of the picture", left_open="by intent"
    )
    colour_match: bool | None = setting("match the new colours to known pixels around", left_open="true")
    seam: bool | None = setting(
        "correct brightness steps at the edge, where the engine gives evidence", left_open="true"
    )
    detail: Literal["surroundings", "full", "careful", "none"] | None = setting(
        "add fine detail of the surroundings where an engine paints below the picture's size or loses texture: "
        "throughout, where it likely belongs, only where that is beyond doubt, or nowhere",
        left_open="by intent",
    )
    restore_faces: Annotated[Name | None, BeforeValidator(_network_of_faces)] = setting(
        "restore the faces in what is painted, by the network of this name; auto: by the one that is here",
        left_open="no face is restored",
    )
    face_weight: float | None = setting(
        "how much of a restored face counts: 0 leaves faces as they are, 1 takes what the network makes of them",
        left_open="1",
        ge=0,
        le=1,
    )
    face_fidelity: float | None = setting(
        "of CodeFormer alone: 0 restores the most, 1 keeps the most of the face", left_open="0.5", ge=0, le=1
    )
    exact: bool | None = setting(
        "pixels that do not depend on what else is painted at the same time",
        left_open="false; with an engine that samples true in a batch run and for variations",
    )

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, table: Any) -> Any:
        current = cls.model_fields["schema_"].default
        return upgraded(table, cls.upgrades, current) if isinstance(table, Mapping) else table

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.margins is not None and self.intent not in ("expand", "custom"):
            raise RequestError(
                f"margins {Margins(*self.margins)} make the picture larger, which intent {self.intent!r} does not do: "
                "use intent 'expand'"
            )
        if self.margins is not None and not any(self.margins):
            raise RequestError("margins 0,0,0,0 add nothing: give at least one side some pixels")
        if self.insert is not None and self.insert.channels not in (3, 4):
            raise RequestError(f"insert must be RGB or RGBA, not {self.insert.channels} channels", field="insert")
        return self

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """From a table as JSON and TOML have it, of this schema or an older one."""
        return cls(**as_mapping(mapping, cls.label))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From JSON text."""
        return cls.from_mapping(parse_json(text, cls.label))

    def settings(self) -> dict[str, Any]:
        """Every setting of a request that has a value here."""
        names = [name for name in RequestFields.model_fields if name != "schema_"]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def masks(self) -> tuple[MaskSpec, ...]:
        """Every mask in it: where to repaint, what is avoided, and where regional prompts hold."""
        regional = (one.mask for one in self.regional_prompts or ())
        return tuple(one for one in (self.mask, self.avoid, *regional) if one is not None)

    @property
    def private_texts(self) -> dict[str, str]:
        """What private mode keeps out of files, by setting; of regional prompts the texts as JSON. Blank ones count as
        none.
        """
        texts = {name: getattr(self, name) or "" for name in PRIVATE_SETTINGS if name != "regional_prompts"}
        if self.regional_prompts:
            texts["regional_prompts"] = json.dumps([one.text.to_mapping() for one in self.regional_prompts])
        return {name: text for name, text in texts.items() if text.strip()}

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON text, without the settings that were left open."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, indent=indent)

    @property
    def digest(self) -> str:
        """SHA-256 of the settings, equal for every notation, and for rasters inline or not."""
        return digest_of(without_codes(self.to_mapping()))

    def __hash__(self) -> int:
        return hash(self.digest)


class EditRequest(RequestFields):
    """The settings of an edit. A field that is None is left open: it follows from the intent (see `intents`) or engine.

    EditRequest(intent="replace", prompt="a bench", mask=MaskSpec(parts=[BoxPart(box=(40, 80, 220, 200))]))

    Raises:
        SettingError (a RequestError): An unknown key or a value out of its range, with what would be right.
    """

    preset: Preset | None = setting(
        "several settings at once, where they are left open: fast, for few steps at half the working size",
        left_open="none",
    )

    @classmethod
    def of(cls, intent: Intent = "custom", **settings: Any) -> EditRequest:
        """A request from its settings. Those that are None are left open.

        Raises:
            RequestError: As for the class.
        """
        return cls.from_mapping({"intent": intent, **settings})

    @classmethod
    def from_toml(cls, text: str) -> EditRequest:
        """A request from TOML text."""
        try:
            table = tomllib.loads(text)
        except RecursionError:
            raise RequestError("the request is nested too deeply") from None
        except ValueError as error:
            raise RequestError(f"the request is not TOML: {error}") from None
        return cls.from_mapping(table)

    def to_toml(self) -> str:
        """TOML text, without the settings that were left open."""
        import tomli_w

        return tomli_w.dumps(self.to_mapping())

    def settings(self) -> dict[str, Any]:
        """Every setting that has a value here."""
        return super().settings() | ({} if self.preset is None else {"preset": self.preset})

    def merged(self, **changes: Any) -> EditRequest:
        """A copy with some settings changed; None leaves one open again."""
        own = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return EditRequest.from_mapping({**own, **changes})

    @property
    def clears(self) -> bool:
        """Whether the options ask for transparency, so that the result has alpha."""
        return bool((self.options or {}).get("transparent"))

    @property
    def rule(self) -> IntentRule:
        """The intent's rule."""
        return INTENTS[self.intent]
