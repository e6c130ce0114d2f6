"""What can guide a request: for each kind of control the network that would read it, or why there is none."""

from __future__ import annotations

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from overpaint.errors import OverpaintError
from overpaint.maps import KINDS, used_by_map
from overpaint.models import entry
from overpaint.request import PICTURE_KINDS, Blob, Control, EditRequest
from overpaint.server.described import native_router
from overpaint.studio import Painter

from .callers import Editor, services_of
from .catalogue import kept_by

router = native_router("catalogue")

_UNASKED = ("image", "mask", "sketch", "controls")
"""Fields of a request that do not decide what paints it, and may hold pictures."""

_SOME = Blob(sha256="0" * 64, width=1, height=1)
"""Stands for a picture: networks are chosen by the kind of a control alone."""


class ControlQuestion(BaseModel):
    """A request that is to be guided."""

    request: EditRequest = Field(description="the request; its picture, masks and controls are left out")


class Obstacle(BaseModel):
    """Why something can't be done yet."""

    code: str = Field(description="of the error that an edit would end with")
    message: str
    hint: str | None = Field(description="what to do about it")

    @classmethod
    def of(cls, error: OverpaintError) -> Obstacle:
        """From the error."""
        return cls(code=error.code, message=error.worded(hint=""), hint=error.hint)


class ControlFacts(BaseModel):
    """A kind of control."""

    kind: str
    network: str | None = Field(description="what would read it, where the control names none; None where nothing does")
    unread: Obstacle | None = Field(description="why nothing would read it")
    unmade: Obstacle | None = Field(description="why no map of it can be made from a picture")


class ControlAnswer(BaseModel):
    """What can guide a request."""

    engine: str = Field(description="what would paint the request")
    model: str | None = Field(description="None for an engine that runs none")
    family: str | None = Field(description="of the model: ControlNets of the same family may be named")
    used: bool = Field(description="whether the engine uses controls; others leave them alone")
    kinds: list[ControlFacts] = Field(description="empty where controls are not used")


@router.post("/controls")
async def controls(request: Request, owner: Editor, question: ControlQuestion) -> ControlAnswer:
    """What would guide a request: for each kind of control the network here that reads it, or what is missing."""
    studio = services_of(request).studio
    painter = await run_in_threadpool(studio.painter, question.request)
    name = f"controls of {painter.card.name} {painter.model or ''}"
    asked = question.request.merged(**dict.fromkeys(_UNASKED))  # it is kept: pictures would fill the memory
    return await kept_by(request, name, lambda: _answer(studio.painter(asked)), 5.0, oldest=20.0).get()


def _answer(painter: Painter) -> ControlAnswer:
    kind = None if painter.model is None else entry(painter.model).kind
    used = painter.card.uses("controls")
    return ControlAnswer(
        engine=painter.card.name,
        model=painter.model,
        family=None if kind is None else kind.family,
        used=used,
        kinds=[_facts(painter, one) for one in (*KINDS, *PICTURE_KINDS)] if used else [],
    )


def _facts(painter: Painter, kind: str) -> ControlFacts:
    facts = ControlFacts(kind=kind, network=None, unread=None, unmade=None)
    try:
        (named,), _ = painter.engine.controlled((Control(kind=kind, image=_SOME),))
        facts.network = named.model
    except OverpaintError as error:
        facts.unread = Obstacle.of(error)
    if kind in KINDS:
        try:
            used_by_map(KINDS[kind], KINDS[kind].options())
        except OverpaintError as error:
            facts.unmade = Obstacle.of(error)
    return facts
