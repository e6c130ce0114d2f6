"""What a client asks for: an edit of a stored picture, or one that is made better as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from overpaint.doors.controls import ControlInput
from overpaint.doors.places import SELECTING, Places, RegionPlaces
from overpaint.errors import RequestError
from overpaint.request import MOST_REGIONS, MOST_SEED, Control, ControlSettings, EditRequest, RegionText
from overpaint.studio import EnlargeSettings, RestoreSettings
from overpaint.validation import Problem, SettingError
from overpaint.values import Listed, Value

if TYPE_CHECKING:
    from overpaint.record import Marking

PictureId = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="the id of a stored picture")]
SessionId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="the id of a session")]
Text = Annotated[str, Field(max_length=4096)]

MOST_VARIATIONS = 64

_UNKNOWN = "unknown setting '{field}'; did you mean"


_Sigma = Annotated[float, Field(ge=0, le=1024)]


class Marks(Value):
    """Where to repaint, as people write it; the union counts. Lengths are in pixels, or in per cent of the picture."""

    mask: Listed[tuple[PictureId, ...]] = Field(default=(), max_length=16, description="mask pictures, white = repaint")
    box: Listed[tuple[Text, ...]] = Field(default=(), max_length=256, description='"left,top,right,bottom" each')
    ellipse: Listed[tuple[Text, ...]] = Field(default=(), max_length=256, description='"left,top,right,bottom" each')
    polygon: Listed[tuple[Text, ...]] = Field(default=(), max_length=256, description='"x,y x,y x,y" each')
    select: Listed[tuple[Text, ...]] = Field(default=(), max_length=16, description="selectors: faces, subject ...")
    select_text: Listed[tuple[Text, ...]] = Field(default=(), max_length=16, description="what is meant, in words")
    point: Listed[tuple[Text, ...]] = Field(default=(), max_length=256, description='"x,y" each, on what is meant')
    not_point: Listed[tuple[Text, ...]] = Field(default=(), max_length=256, description='"x,y" each, on what is not')
    select_box: Listed[tuple[Text, ...]] = Field(
        default=(), max_length=64, description='"left,top,right,bottom" each, around what is meant'
    )
    select_option: Listed[tuple[Text, ...]] = Field(
        default=(), max_length=64, description='"name=value" each, of the selector'
    )
    channel: Literal["auto", "luminance", "alpha", "transparent"] = Field(
        default="auto", description="which channel of a mask picture counts"
    )
    resize: bool = Field(default=False, description="whether a mask of the picture's proportions is resized to it")
    invert: bool = Field(default=False, description="repaint everything but these")
    blurred: Listed[tuple[_Sigma, _Sigma]] | None = Field(
        default=None,
        description="sigmas in px, across and down, of a blur that the mask pictures have already; infotext names it",
    )

    def places(self) -> Places:
        """The same for the reader of an edit's files."""
        selecting: dict[str, Any] = {name: tuple(getattr(self, name)) for name in SELECTING}
        return Places(
            mask=tuple(self.mask),
            box=tuple(self.box),
            ellipse=tuple(self.ellipse),
            polygon=tuple(self.polygon),
            mask_channel=self.channel,
            mask_resize=self.resize,
            invert=self.invert,
            blurred=None if self.blurred is None else (self.blurred[0], self.blurred[1]),
            **selecting,
        )


class TaskControl(ControlSettings):
    """A control whose image is a stored picture."""

    image: PictureId | None = Field(
        default=None, description="a map, or with preprocess a picture; left out, the map is made from the edited one"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self._check_image(given=self.image is not None)
        return self

    @property
    def input(self) -> ControlInput:
        """The same for the reader of an edit's files."""
        table = self.to_mapping()
        return ControlInput({name: value for name, value in table.items() if name != "image"}, self.image)


class MarkedPrompt(RegionText):
    """A regional prompt, and where it holds as people write it."""

    marks: Marks = Field(description="where it holds: mask pictures and shapes, white is there")


def _pictures_of(task: TaskRequest) -> frozenset[str]:
    regional = (one.marks for one in task.regional_prompts)
    marks = (one for one in (task.marks, task.avoid, *regional) if one is not None)
    named = (one for one in (task.sketch, task.insert, *(one.image for one in task.controls)) if one is not None)
    return frozenset((*named, *task.rasters, *(id for one in marks for id in one.mask)))


_COUNTS = dict.fromkeys(("variations", "n", "n_iter", "batch_size", "batch_count", "num_images"), "count")
"""What other programs, and our own library, call the count of a task."""


class TaskRequest(Value):
    """What is to be painted, and where."""

    setting_aliases: ClassVar[Mapping[str, str]] = _COUNTS

    request: EditRequest = Field(description="the settings of the edit; docs/settings.md has all of them")
    marks: Marks | None = Field(default=None, description="where to repaint; left out, the request's own mask counts")
    avoid: Marks | None = Field(default=None, description="what must not be copied")
    regional_prompts: Listed[tuple[MarkedPrompt, ...]] = Field(
        default=(), max_length=MOST_REGIONS, description="prompts for parts of the picture, by mask pictures or shapes"
    )
    sketch: PictureId | None = Field(default=None, description="strokes with transparency, of the picture's size")
    insert: PictureId | None = Field(default=None, description="a picture to put in")
    controls: Listed[tuple[TaskControl, ...]] = Field(
        default=(), max_length=16, description="what guides the engine; left out, the request's own controls count"
    )
    rasters: Listed[tuple[PictureId, ...]] = Field(
        default=(), max_length=64, description="pictures whose pixels the request names by their SHA-256"
    )
    count: int = Field(
        default=1, ge=1, le=MOST_VARIATIONS, description="how many variations, with seeds from the first on"
    )

    @model_validator(mode="before")
    @classmethod
    def _in_place(cls, table: Any) -> Any:
        """Say where a field belongs that is in the request and not beside it, or the other way round."""
        request = table.get("request") if isinstance(table, dict) else None
        if isinstance(request, dict):
            ours = {one.alias or name for name, one in EditRequest.model_fields.items()}
            for name, value in request.items():
                meant = _COUNTS.get(name, name)
                if meant in cls.model_fields and name not in ours:
                    raise SettingError(
                        [Problem(f"request.{name}", value, f"{_UNKNOWN} {meant!r}, beside the request?")]
                    )
        for name, value in table.items() if isinstance(table, dict) else ():
            if name in EditRequest.model_fields and name not in cls.model_fields:
                raise SettingError([Problem(name, value, f"{_UNKNOWN} 'request.{name}'?")])
        return table

    @property
    def pictures(self) -> frozenset[str]:
        """The ids of all stored pictures that it needs."""
        return _pictures_of(self)

    @property
    def regions(self) -> tuple[RegionPlaces, ...]:
        """The regional prompts for the reader of an edit's files."""
        return tuple(RegionPlaces(one.text, one.marks.places()) for one in self.regional_prompts)

    @property
    def guides(self) -> tuple[ControlInput, ...]:
        """What guides the engine, for the reader of an edit's files."""
        return tuple(one.input for one in self.controls)

    @property
    def masked(self) -> bool:
        """Whether marks or a sketch beside the request say where to repaint."""
        return self.sketch is not None or (self.marks is not None and self.marks.places().named)


class SessionTask(TaskRequest):
    """Work on a session: a new step, a step that is painted again, or all stale ones.

    Attributes:
        session: The session's id.
        again: What is painted again; None for a new step.
    """

    session: SessionId
    again: int | Literal["stale"] | None = None


class ResultSettings(Value):
    """How a result is written."""

    format: Literal["png", "jpeg", "webp", "tiff", "avif"] | None = Field(
        default=None, description="the results' format; left out, the picture's own"
    )
    quality: int | None = Field(default=None, ge=1, le=100, description="1 to 100, of formats that lose")
    record: Literal["embed", "none"] = Field(default="embed", description="whether results hold how they were made")
    provenance: Literal["embed", "prompt", "none"] = Field(
        default="embed", description="what results say of their origin: the source type, that and the prompt, nothing"
    )
    private: bool = Field(
        default=False,
        description="no record and no prompt in results; a job that has ended is forgotten when the server ends",
    )
    watermark: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="the name of an imperceptible mark that results get"
    )
    watermark_area: Literal["patch", "whole"] = Field(default="patch", description="where it may change pixels")
    watermark_payload: Annotated[str, Field(max_length=1000)] | None = Field(default=None, description="what it holds")

    @property
    def marking(self) -> Marking:
        """How files are marked."""
        from overpaint.record import Marking, WatermarkChoice

        chosen = None
        if self.watermark is not None:
            chosen = WatermarkChoice(self.watermark, self.watermark_area, (self.watermark_payload or "").encode())
        return Marking(mode=self.provenance, private=self.private, watermark=chosen)

    def check(self) -> None:
        """Raise RequestError or OutputError where results can't be written so, whatever the picture."""
        if self.private and self.provenance == "prompt":
            message = "{field} 'prompt' would publish the prompt that private keeps away"
            raise RequestError(message, field="provenance", value=self.provenance)
        for field, given in (
            ("watermark_area", self.watermark_area != "patch"),
            ("watermark_payload", self.watermark_payload is not None),
        ):
            if given and self.watermark is None:
                raise RequestError("{field} is about a watermark, and none is named", field=field, hint="set watermark")
        if self.watermark is not None:
            self.marking.watermark.check()  # type: ignore[union-attr]


class OutputSettings(ResultSettings):
    """How the result of edits is written."""

    layers: Literal["psd", "psb", "ora"] | None = Field(
        default=None, description="also a layered file: the original, and above it what was painted"
    )


class EditTask(TaskRequest, OutputSettings):
    """An edit: the picture, where to repaint, and the request."""

    picture: PictureId
    maps: bool = Field(default=False, description="also pictures of the maps of its controls, as they guided it")

    @property
    def pictures(self) -> frozenset[str]:
        """The ids of all stored pictures that it needs."""
        return _pictures_of(self) | {self.picture}


class EnlargeTask(EnlargeSettings, ResultSettings):
    """A picture that is to be enlarged."""

    picture: PictureId
    enhance: Literal["enlarge"] = "enlarge"

    @property
    def settings(self) -> EnlargeSettings:
        """What is done to it."""
        return EnlargeSettings(**{name: getattr(self, name) for name in EnlargeSettings.model_fields})


class RestoreTask(RestoreSettings, ResultSettings):
    """A picture whose faces are to be restored."""

    picture: PictureId
    enhance: Literal["restore"] = "restore"

    @property
    def settings(self) -> RestoreSettings:
        """What is done to it."""
        return RestoreSettings(**{name: getattr(self, name) for name in RestoreSettings.model_fields})


EnhanceTask = EnlargeTask | RestoreTask


class CanvasSettings(Value):
    """How a canvas is painted: what the studio elsewhere has resolved."""

    engine: Annotated[str, Field(max_length=200)]
    model: Annotated[str, Field(max_length=1000)] | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict, description="the engine's own, as /painters gave them")
    sampling: EditRequest | None = Field(
        default=None, description="prompt, strength, steps and the like; None for an engine that takes none of them"
    )
    controls: Listed[tuple[Control, ...]] = Field(
        default=(), max_length=16, description="of the canvas's control images, in their order"
    )
    regional_prompts: Listed[tuple[RegionText, ...]] = Field(
        default=(), max_length=MOST_REGIONS, description="of the canvas's masks of regional prompts, in their order"
    )
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0


class CanvasTask(Value):
    """A canvas that is to be painted for a studio elsewhere."""

    canvas: PictureId
    settings: CanvasSettings


ServerTask = EditTask | SessionTask | CanvasTask | EnlargeTask | RestoreTask


def task_of(table: dict[str, Any]) -> ServerTask:
    """A task from its plain values. RequestError where they are none."""
    if "enhance" in table:
        return (EnlargeTask if table["enhance"] == "enlarge" else RestoreTask)(**table)
    kind = SessionTask if "session" in table else CanvasTask if "canvas" in table else EditTask
    return kind(**table)
