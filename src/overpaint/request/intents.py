"""Intents, and the defaults that follow from each: one table.

Sources of the numbers:

* **Strength.** The field's tutorial for this job teaches object replacement at 0.85, colour adjustment at 0.6,
  background replacement at 0.9 with the mask of the subject inverted, and texture refinement at 0.4. Removing, adding
  and expanding keep nothing of the old pixels: 1. `custom` has AUTOMATIC1111's default of 0.75 (spec: inpaint settings
  6).
* **Masked content.** At a strength below 1 the old pixels show through, so the tutorial's four keep `original`.
  `remove` starts from the exemplar fill, since a removed object otherwise grows back (canvas and masks 1.1: remove
  pre-fills with an inpaint model); `expand` from smoothly continued colours (`fill`); `add` from zero latents, which
  like Krita's neutral grey leave the model free (canvas and masks 1.1).
* **Edge.** `scaled`: grow and feather follow from the region's scale, as in canvas and masks 1.2. `tight`: for edits
  that must keep a contour, no growth and a feather of a few pixels (Krita's background replacement feathers 1 % at
  most). `none`: the mask's own edge.
* **Context.** Edits at full strength see wide surroundings; partial ones keep what they have, and see less (canvas and
  masks 1.3); a new background sees the whole picture.
* **Alpha.** An edit of existing content keeps its alpha; one that paints where nothing was makes it opaque.
* **Detail.** An edit that continues the surroundings gets their detail wherever an engine painted below the picture's
  size (`full`). A replacement may have a texture of its own, and gets it only where it clearly looks like the
  surroundings (`careful`). Without a prompt nothing but the surroundings is wanted: a small model with uncertain
  layouts and lost texture may take all texture from them (`surroundings`).
* **Prompt.** `background`: an empty prompt becomes a phrase for scenery (canvas and masks 1.1: "background scenery").

All intents share the usual values of AUTOMATIC1111 and the tutorials: guidance 7.5, and 25 steps, with which DPM++ 2M
with the Karras schedule gives what older samplers gave with the tutorials' 50.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ._types import PaintsFrom

Intent = Literal["remove", "replace", "recolor", "background", "refine", "add", "expand", "custom"]
MaskedContent = Literal["original", "fill", "latent_noise", "latent_nothing", "exemplar"]
EdgeRule = Literal["scaled", "narrow", "tight", "none"]
ContextRule = Literal["near", "wide", "whole"]
AlphaRule = Literal["keep", "cover"]
PromptRule = Literal["required", "optional", "background"]
DetailRule = Literal["surroundings", "full", "careful"]

BACKGROUND_PROMPT = "background scenery"
"""The prompt of a removal without a prompt."""


@dataclass(frozen=True, slots=True)
class IntentRule:
    """An intent's defaults for what a request leaves open.

    Attributes:
        name: In requests.
        title: One line for people.
        strength: 0 to 1: how far painting departs from the masked content.
        masked_content: What painting starts from in the hole.
        edge: How grow and feather follow: "scaled" to the region, "tight" to keep a contour, "none".
        context: How much of the surroundings an engine sees: "near", "wide", "whole" picture.
        alpha: "keep" the picture's alpha, or "cover": the new paint lies under what is left of the old, alpha becomes
            min(1, alpha + composite mask).
        detail: How good a match the surroundings' detail needs where an engine painted below the picture's size: "full"
            takes likely matches, "careful" only those beyond doubt. Without a prompt a model may have "surroundings" in
            place of "full" (see `Usual`): the best there are, where it loses texture.
        prompt: "required" by engines that paint from one; "optional"; "background": when empty, a phrase for scenery.
        inverts_mask: The mask marks the subject, which stays, and the rest is repainted.
        grows_canvas: The picture grows by the request's margins, which are painted.
        prefers: What an engine that does this best paints from: "surroundings", a "prompt", or "settings" alone, as the
            intent's own engine does.
        engine: The engine that does it without a model, where a picture to put in is given, or options and no prompt;
            where the intent prefers "settings" or "surroundings", always but with a model that was named.
    """

    name: Intent
    title: str
    strength: float
    masked_content: MaskedContent
    edge: EdgeRule
    context: ContextRule
    alpha: AlphaRule
    detail: DetailRule
    prompt: PromptRule
    inverts_mask: bool = False
    grows_canvas: bool = False
    prefers: PaintsFrom = "prompt"
    engine: str | None = None


# fmt: off
_TABLE = (
    #          name          title                                    strength  content  edge  context  alpha  detail  prompt  # noqa: E501
    IntentRule("remove",     "take something out of the picture",         1.0,  "exemplar",       "scaled", "wide",  "keep",  "full",    "background", prefers="surroundings"),  # noqa: E501
    IntentRule("replace",    "put something else in an object's place",   0.85, "original",       "scaled", "wide",  "keep",  "careful", "required"),  # noqa: E501
    IntentRule("recolor",    "give an object another colour",             0.6,  "original",       "tight",  "near",  "keep",  "careful", "required", prefers="settings", engine="recolor"),  # noqa: E501
    IntentRule("background", "give a subject another background",         0.9,  "original",       "tight",  "whole", "cover", "full",    "required", inverts_mask=True, engine="backdrop"),  # noqa: E501
    IntentRule("refine",     "bring out texture and detail",              0.4,  "original",       "scaled", "near",  "keep",  "careful", "optional"),  # noqa: E501
    IntentRule("add",        "put something new into the picture",        1.0,  "latent_nothing", "scaled", "wide",  "cover", "careful", "required", engine="cutout"),  # noqa: E501
    IntentRule("expand",     "go on beyond the picture's borders",        1.0,  "fill",           "scaled", "wide",  "cover", "full",    "optional", grows_canvas=True, prefers="surroundings", engine="extend"),  # noqa: E501
    IntentRule("custom",     "as the settings say",                       0.75, "original",       "scaled", "wide",  "keep",  "careful", "optional"),  # noqa: E501
)
# fmt: on

INTENTS: Mapping[str, IntentRule] = MappingProxyType({rule.name: rule for rule in _TABLE})

STEPS = 25
GUIDANCE_SCALE = 7.5
SAMPLER = "DPM++ 2M"
SCHEDULER = "Karras"
