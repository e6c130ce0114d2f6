"""What an edit of a session would see, and what it may change, before it is painted: for outlines on a screen."""

from __future__ import annotations

import cv2
import numpy as np
from fastapi import Request
from pydantic import BaseModel, Field

from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles, read_beside, unseen
from overpaint.frame import Region
from overpaint.geometry import Box
from overpaint.server.described import native_router
from overpaint.server.reading import bounded, soon_drawn
from overpaint.session import Session, StepPlan

from .callers import Editor, services_of
from .session_edits import StepEdit
from .sessions import Id
from .versions import in_thread

router = native_router("sessions")

_MOST_LINES = 64
"""Outlines of a reach that are given, the longest first: a screen needs no more."""


class FrameFacts(BaseModel):
    """A region that an edit would paint, in pixels of the present picture; an edit that expands it goes beyond."""

    frame: tuple[int, int, int, int] = Field(description="left, top, right, bottom of what the engine sees")
    working: tuple[int, int] = Field(description="width and height at which the engine sees it")
    box: tuple[int, int, int, int] = Field(description="the box beyond which nothing changes")
    reach: list[list[tuple[int, int]]] = Field(description="outlines of all that may change: points x, y each")
    grow: float = Field(description="how far repainting goes beyond the mask, in pixels")
    feather: float = Field(description="how wide the fade to the old pixels is")
    parts: int = Field(description="how many connected parts of the mask it has")

    @classmethod
    def of(cls, region: Region, left: int, top: int) -> FrameFacts:
        """From a region of a result whose present picture begins at `left` and `top`."""
        return cls(
            frame=_edges(region.frame.box.shift(-left, -top)),
            working=(region.frame.working.width, region.frame.working.height),
            box=_edges(region.box.shift(-left, -top)),
            reach=_outlines(region, left, top),
            grow=region.edge.grow,
            feather=region.edge.feather,
            parts=region.parts,
        )


@router.post("/sessions/{id}/frames")
async def frames(request: Request, owner: Editor, id: Id, task: StepEdit) -> list[FrameFacts]:
    """What an edit would see and may change, without painting it. Everything of the task counts as for the edit."""
    services = services_of(request)

    def found() -> list[FrameFacts]:
        plan: StepPlan = services.sessions.read(owner, id, Session.plan_edit)
        picture = plan.picture
        files = EditFiles(
            picture="",
            request=task.request,
            contents={one: services.pictures.data(owner, one) for one in task.pictures},
            places=Places() if task.marks is None else task.marks.places(),
            avoid=Places() if task.avoid is None else task.avoid.places(),
            regions=task.regions,
            sketch=task.sketch,
            insert=task.insert,
            controls=task.guides,
            rasters=tuple(task.rasters),
            pixels=services.settings.most_pixels,
        )
        seen = unseen(picture, files)
        inputs = bounded(services.settings, read_beside, seen, files) if files.contents else read_beside(seen, files)
        left, top, _, _ = inputs.request.margins or (0, 0, 0, 0)
        regions = services.studio.regions(picture, inputs.request, **inputs.rest)
        return [FrameFacts.of(region, left, top) for region in regions]

    return await in_thread(soon_drawn, found)


def _outlines(region: Region, left: int, top: int) -> list[list[tuple[int, int]]]:
    """The outlines of where the composite mask is above 0, corners only."""
    changes = np.pad((region.masks.composite > 0).astype(np.uint8), 1)
    lines, _ = cv2.findContours(changes, cv2.RETR_LIST, cv2.CHAIN_APPROX_TC89_L1)
    across, down = region.box.left - left - 1, region.box.top - top - 1
    longest = sorted((line for line in lines if len(line) > 2), key=len, reverse=True)[:_MOST_LINES]
    return [[(int(x) + across, int(y) + down) for x, y in line[:, 0]] for line in longest]


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom
