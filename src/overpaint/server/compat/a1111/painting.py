"""img2img and txt2img: one call from its body to its reply."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from overpaint.engines import card as card_of
from overpaint.errors import Cancelled, InputError, RequestError
from overpaint.geometry import Size
from overpaint.pocket import NAME as POCKET
from overpaint.request import PICTURE_KINDS, EditRequest
from overpaint.server.compat.calls import Call, CallResult, picture_bytes
from overpaint.server.compat.models import adapter_networks, control_networks
from overpaint.server.native.callers import services_of
from overpaint.server.reading import bounded
from overpaint.server.tasks import EditTask, Marks
from overpaint.studio.choose import SURROUNDINGS_ENGINE

from .always_on import CONTROLNET, check_always_on
from .bodies import PaintBody, PictureBody, TextBody
from .callers import ActiveCall, CallerState, models_of, state_of
from .checkpoints import Checkpoint, Models
from .controlnet import ControlUnit, units_of
from .outpainting import Outpainting, outpainting
from .pictures import MaskReading, ReadyInputs, blank, guiding_picture, ready_inputs, reference_picture
from .reading import of_picture
from .refusals import ControlUnitError, InitImageNotFoundError, TextToImageError
from .reply import PaintReply
from .restoring import chosen_faces
from .translate import Chosen, overruled_scripts, request_of, sampled

log = logging.getLogger("overpaint.server")

_AS_IT_IS = ("", "automatic", "none")
"""Names of a VAE that mean the checkpoint's own."""


async def painted(request: Request, owner: str, body: PaintBody, *, own_size: bool = False) -> PaintReply:
    """What a body asks for. What of its infotext can't be done is left out, with a note.

    Args:
        request: The request.
        owner: Who calls.
        body: Its body.
        own_size: Whether a picture keeps its size, whatever width and height are.

    Raises:
        OverpaintError: It can't be done, or failed.
    """
    for left in reversed(range(_MOST_TRIES)):
        try:
            return await _painted(request, owner, body, own_size)
        except (InputError, ControlUnitError, TextToImageError) as error:
            said_less = body.without(error, all_settings=left < 2)
            if said_less is None:
                raise
            body = said_less
    return await _painted(request, owner, body, own_size)


_MOST_TRIES = 12
"""How often a call may be refused for something in its infotext; the last two leave out all settings, then prompts."""


async def _painted(request: Request, owner: str, body: PaintBody, own_size: bool) -> PaintReply:
    """What a body asks for. Raises OverpaintError where it can't be done, or failed."""
    sampled(body.sampler, body.scheduler)  # so that a wrong name is refused before pictures are read
    script = outpainting(body.script_name, body.script_args)
    notes = check_always_on(body.alwayson_scripts) + overruled_scripts(body) + body.said.notes
    units = await run_in_threadpool(_units, body, notes)
    if not isinstance(body, PictureBody) and any(one.picture is None for one in units):
        message = "a unit of ControlNet without an image takes the picture that is edited, and there is none"
        raise ControlUnitError(message, field="alwayson_scripts")
    notes += [note for one in units for note in one.notes]
    if isinstance(body, PictureBody) and not body.init_images:
        raise InitImageNotFoundError("Init image not found")
    state = state_of(request, owner)
    async with Call(request, owner) as call:
        with state.working(ActiveCall(call, body.count)):
            return await _Painting(request, state, call, body, script, notes, own_size, units).reply()


def _units(body: PaintBody, notes: list[str]) -> list[ControlUnit]:
    """The units of a body. Those of infotext are left out, with a note, where they are not for this machine."""
    networks = [*control_networks(), *adapter_networks()]
    try:
        return units_of(body.alwayson_scripts, networks)
    except (ControlUnitError, RequestError) as error:
        if body.alwayson_scripts.get(CONTROLNET) is not body.said.scripts.get(CONTROLNET, ""):
            raise
        notes.append(f"infotext: its controls were left out: {error}")
        return []


@dataclass(slots=True)
class _Painting:
    """One call that is under way."""

    request: Request
    state: CallerState
    call: Call
    body: PaintBody
    script: Outpainting | None
    notes: list[str]
    own_size: bool
    units: list[ControlUnit]

    async def reply(self) -> PaintReply:
        body = self.body
        masked = isinstance(body, PictureBody) and body.mask not in (None, "")
        if masked and self.script is not None:
            self.notes.append("the script extends the picture: the mask has no effect")
            masked = False
        chosen = await self._chosen(masked)
        ready, picture = await self._ready(masked, chosen.webui and self.script is None)
        masked = masked and ready.mask is not None
        seed, subseed = body.first_seed(), body.first_subseed()
        edit, differing = request_of(
            body, chosen, seed, masked=masked, blurred=ready.blurred, subseed=subseed, script=self.script
        )
        self.notes += [*ready.notes, *differing]
        count, copies = (body.count, 1) if chosen.card.uses("seed") or body.count == 1 else (1, body.count)
        if self.script is not None and edit.model is None:
            count, copies = 1, body.count  # the engine of extensions
        facts = await self.call.add(ready.picture or picture)
        marks = None
        if ready.mask is not None and masked:
            marks = await self._marks(ready)
        guides = tuple([one.control(await self._guide(one, ready.size)) for one in self.units])
        maps = self._maps_wanted(chosen.settings)
        task = EditTask(
            picture=facts.id,
            request=edit,
            marks=marks,
            controls=guides,
            count=count,
            format="png",
            maps=any(maps),
        )
        results, interrupted = await self._results(task)
        if not body.override_settings_restore_afterwards:  # here, so that none is kept that can't be painted with
            self.state.set({name: one for name, one in body.override_settings.items() if one not in (None, "")})
        shown = await self._shown_maps(maps, results)
        if copies > 1 and results:
            self.notes.append(f"the result does not depend on a seed: it is given {copies} times")
            results = results * copies
        self.notes += self.call.job.notes if self.call.job is not None else ()
        self.notes += [str(note) for one in results for note in one.facts.get("notes", ())]
        notes = list(dict.fromkeys(self.notes))
        for note in notes:
            log.info("%s: %s", self.request.url.path, note)
        return PaintReply(
            body, results, chosen.checkpoint, seed, notes, interrupted, chosen.faces.shown, subseed, shown
        )

    def _maps_wanted(self, settings: Mapping[str, Any]) -> list[bool]:
        """Of each control that has a map, whether the reply has it beside the pictures, as the extension does it."""
        none = settings.get("control_net_no_detectmap") in (True, 1, "true", "True")
        return [one.shows_map and not none for one in self.units if one.settings["kind"] not in PICTURE_KINDS]

    async def _shown_maps(self, wanted: list[bool], results: list[CallResult]) -> list[bytes]:
        """The maps as they guided the first region of the first picture; those of the others are alike."""
        ids = results[0].facts.get("maps", []) if results else []
        return [await self.call.picture(id) for id, one in zip(ids, wanted, strict=False) if one]

    async def _marks(self, ready: ReadyInputs) -> Marks:
        """Where to repaint, with what the client asked to be done to its mask, so that infotext has it."""
        body = self.body
        assert isinstance(body, PictureBody)
        assert ready.mask is not None
        mask = (await self.call.add(ready.mask)).id
        blurred = body.blur if ready.blurred and any(body.blur) else None
        return Marks(mask=(mask,), invert=body.inpainting_mask_invert, blurred=blurred)

    async def _guide(self, unit: ControlUnit, size: Size) -> str | None:
        """The id of a unit's image, which is kept for the call; None where it has none.

        It gets the size of the picture unless it keeps its own.
        """
        if unit.picture is None:
            return None
        if unit.resize is None:
            image = await of_picture(self.request, reference_picture, unit.picture, "image")
            return (await self.call.add(image)).id
        image = await of_picture(self.request, guiding_picture, unit.picture, "image", size, unit.resize)
        return (await self.call.add(image)).id

    async def _results(self, task: EditTask) -> tuple[list[CallResult], bool]:
        """The results, and whether the client stopped before there were all."""
        try:
            return await self.call.edit(task), False
        except Cancelled:
            if not self.call.cancelled:
                raise
            self.notes.append("interrupted")
            return await self.call.finished(), True

    async def _ready(self, masked: bool, webui: bool) -> tuple[ReadyInputs, bytes]:
        """Picture and mask as they are edited, and the picture's file as it was sent."""
        body, settings = self.body, services_of(self.request).settings
        limit = settings.most_pixels
        to = Size(body.width, body.height)

        def made() -> tuple[ReadyInputs, bytes]:
            if not isinstance(body, PictureBody):
                return ReadyInputs(to), bounded(settings, blank, to, limit)
            picture = picture_bytes(body.init_images[0], "init_images")
            mask = picture_bytes(body.mask, "mask") if masked else None
            keeps = self.own_size or self.script is not None or (masked and body.inpaint_full_res)
            reading = MaskReading(body.inpainting_mask_invert, body.blur, webui)
            arguments = (picture, mask, reading, None if keeps else to, body.resize_mode % 3, limit)
            return bounded(settings, ready_inputs, *arguments, None if self.own_size else to), picture

        if isinstance(body, PictureBody):
            if len(body.init_images) > 1:
                self.notes.append("of init_images the first was taken")
            if body.resize_mode == 3 and (not masked or not body.inpaint_full_res):
                self.notes.append("resize_mode 3 is not available: the picture was resized as by 0")
        return await run_in_threadpool(made)

    async def _chosen(self, masked: bool) -> Chosen:
        """What paints: what the request names, or the caller's options, or the default."""
        studio = services_of(self.request).studio
        models = await models_of(self.request)
        overrides = {name: value for name, value in self.body.override_settings.items() if value not in (None, "")}
        settings = {**self.state.options, **overrides}
        text = str(settings.get("sd_model_checkpoint") or "")
        found = models.named(text) if text else None
        checkpoint = found or models.default(studio)
        if text and found is None:
            self.notes.append(f"the checkpoint {text[:100]!r} is not on this server: {checkpoint.shown} was used")
        nothing_named = found is None and not self.body.prompt.strip()
        if nothing_named and masked and checkpoint.name == POCKET:
            checkpoint = Checkpoint(SURROUNDINGS_ENGINE, engine=SURROUNDINGS_ENGINE)
            self.notes.append(
                f"without a prompt and a chosen checkpoint {SURROUNDINGS_ENGINE} continues the surroundings"
            )
        vae = self._vae(settings, models) if checkpoint.engine is None and checkpoint.prompted else None

        def card() -> Any:
            if checkpoint.engine is not None:
                return card_of(checkpoint.engine)
            options = None if vae is None else {"vae": vae}
            return studio.card_for(EditRequest.of("remove", model=checkpoint.name, options=options))

        faces = chosen_faces(self.body, settings, models)
        own, layer = found is not None, self._clip_skip(settings)
        chosen = Chosen(checkpoint, await run_in_threadpool(card), own, vae, layer, faces, settings)
        if isinstance(self.body, TextBody):
            _require_text_to_image(chosen)
        return chosen

    def _vae(self, settings: Mapping[str, Any], models: Models) -> str | None:
        text = str(settings.get("sd_vae") or "")
        found = next((one for one in models.vaes if one.lower() == text.strip().lower()), None)
        if found is None and text.strip().lower() not in _AS_IT_IS:
            self.notes.append(f"the VAE {text[:100]!r} is not on this server: the checkpoint's own was used")
        return found

    def _clip_skip(self, settings: Mapping[str, Any]) -> int | None:
        """The layer that was asked for; 1, which every client sends, leaves it to the model."""
        value = settings.get("CLIP_stop_at_last_layers") or self.body.clip_skip
        if self.body.clip_skip is not None and self.body.clip_skip > 1:
            value = self.body.clip_skip
        try:
            layer = round(float(value or 1))
        except (TypeError, ValueError, OverflowError):
            return None
        return layer if layer > 1 else None


def _require_text_to_image(chosen: Chosen) -> None:
    """Raise TextToImageError where what was chosen paints only parts of a picture."""
    if not chosen.prompted or chosen.card.intents is not None:
        raise TextToImageError(
            f"{chosen.checkpoint.shown} repaints parts of a picture and makes none from text alone",
            field="sd_model_checkpoint",
            value=chosen.checkpoint.shown,
            hint="choose a Stable Diffusion checkpoint for txt2img, or send a picture and a mask to img2img",
        )
