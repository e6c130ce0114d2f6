"""The networks of a reference picture: the IP-Adapter of a control, and the picture encoder that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import ModelError

from .catalogue import CATALOGUE
from .controls import only_usable, usable_control
from .detect import detect
from .families import family_title
from .network_store import find_network, networks_here
from .store import ModelEntry, entries, known_licence, locate
from .terms import check_terms
from .values import Kind, ModelRef

_BESIDE = "image_encoder"
"""The folder of the encoder beside its adapters, as in their publishers' repository."""

_LISTED: Mapping[tuple[tuple[str, int], ...], str] = {
    (("embeds", 1024),): "clip-vision-h",
    (("states", 1280),): "clip-vision-h",
    (("embeds", 1280),): "clip-vision-g",
    (("states", 1664),): "clip-vision-g",
}
"""Encoders of the catalogue by what an adapter reads."""


@dataclass(frozen=True, slots=True)
class ReferenceRefs:
    """What reads a reference picture.

    Attributes:
        adapter: The IP-Adapter.
        encoder: The picture encoder, of the sizes that it reads.
        named: Whether the encoder is one of the models here, which can be named; else it lies beside the adapter.
    """

    adapter: ModelRef
    encoder: ModelRef
    named: bool = True


def find_reference(
    family: str,
    name: str | None = None,
    encoder: str | None = None,
    *,
    allow_pickle: bool = False,
    published: bool = True,
    fits_checkpoint: Callable[[ModelRef], bool] = lambda _: False,
) -> ReferenceRefs:
    """The IP-Adapter for checkpoints of a family, and its encoder. Nothing is downloaded.

    Args:
        family: Of the checkpoint.
        name: Of an IP-Adapter of the store or the catalogue, or OWNER/NAME/FILE of the hub's cache. None: the one here
            for this family.
        encoder: Of a picture encoder, likewise. None: the folder `image_encoder` beside the adapter, or else the one
            here of the sizes that the adapter reads.
        allow_pickle: Whether a pickle may be read, weights only.
        published: Whether the checkpoint has its family's published sizes, so that published adapters fit it.
        fits_checkpoint: Whether an adapter whose sizes are of no family was made for the checkpoint.

    Raises:
        ModelError: There is no adapter ("control-missing", "model-unknown", "model-not-downloaded"), or no encoder
            ("image-encoder-missing"); several, and none is named ("control-ambiguous"); it is none
            ("model-other-task"), for another family ("control-family"), or an encoder of other sizes
            ("image-encoder-other"); a pickle that was not allowed ("pickle-refused"); or its licence must be accepted
            first ("licence-not-accepted").
    """
    if name is None:
        name = _only_adapter(family, fits_checkpoint, allow_pickle=allow_pickle, published=published)
    found, path, origin = locate(name, paths=False)
    kind = detect(path)
    if kind.what != "ip-adapter":
        raise ModelError(
            f"{found} is not an IP-Adapter: it is {kind.described}",
            code="model-other-task",
            field="controls",
            value=found,
        )
    if kind.family not in (None, family):
        assert kind.family is not None
        raise ModelError(
            f"the IP-Adapter {found} is for {family_title(kind.family)}, and the checkpoint is {family_title(family)}",
            code="control-family",
            field="controls",
            value=found,
        )
    adapter = usable_control(found, path, kind, origin, allow_pickle=allow_pickle)
    return _with_encoder(adapter, encoder, allow_pickle=allow_pickle)


def _only_adapter(
    family: str, fits_checkpoint: Callable[[ModelRef], bool], *, allow_pickle: bool, published: bool
) -> str:
    """The one adapter here for a checkpoint: of its own sizes where these are of no family, else of its family."""

    def ref(entry: ModelEntry, kind: Kind) -> ModelRef:
        return ModelRef(entry.name, entry.path, kind, allow_pickle=allow_pickle)

    here = {one: one.kind for one in entries() if one.kind is not None and one.kind.what == "ip-adapter"}
    own = [one for one, kind in here.items() if kind.family is None and fits_checkpoint(ref(one, kind))]
    fitting = own or [one for one, kind in here.items() if kind.family == family]
    if not fitting:
        rows = [row.name for row in CATALOGUE if row.what == "ip-adapter" and row.family == family and published]
        ways = f"{rows[0]!r} can be downloaded, or one of {', '.join(rows[1:])}" if rows else "add one of this family"
        if not published:
            ways = "IP-Adapters are published for checkpoints of other sizes than this one: name another checkpoint"
        raise ModelError(
            f"no IP-Adapter for {family_title(family)} is here to read a reference picture",
            code="control-missing",
            field="controls",
            value="reference",
            hint=ways,
        )
    return only_usable(fitting, "reference pictures", "IP-Adapters", allow_pickle=allow_pickle).name


def _with_encoder(adapter: ModelRef, name: str | None, *, allow_pickle: bool) -> ReferenceRefs:
    if name is not None:
        found = find_network(name, "image-encoder", paths=False, allow_pickle=allow_pickle)
        if not fits(adapter.kind, found.kind):
            raise ModelError(
                f"the picture encoder {found.name} has other sizes than the IP-Adapter {adapter.name} reads, "
                f"which are {_sizes(adapter.kind)}",
                code="image-encoder-other",
                field="controls",
                value=found.name,
            )
        return ReferenceRefs(adapter, found)
    if (beside := _beside(adapter, allow_pickle=allow_pickle)) is not None:
        return ReferenceRefs(adapter, beside, named=False)
    fitting = [one for one in networks_here("image-encoder") if one.kind is not None and fits(adapter.kind, one.kind)]
    if len(fitting) == 1:
        return ReferenceRefs(adapter, find_network(fitting[0].name, "image-encoder", paths=False))
    if fitting:
        names = ", ".join(one.name for one in fitting)
        raise ModelError(
            f"several picture encoders here fit the IP-Adapter {adapter.name}: {names}",
            code="control-ambiguous",
            field="controls",
            value=adapter.name,
            hint="name one of them as the control's option encoder",
        )
    known = _LISTED.get(adapter.kind.vectors, "")
    place = f"put it beside the adapter as the folder {_BESIDE}"
    raise ModelError(
        f"the IP-Adapter {adapter.name} reads pictures through CLIP's picture encoder ({_sizes(adapter.kind)}), "
        "and none of these sizes is here",
        code="image-encoder-missing",
        field="controls",
        value=known or adapter.name,
        hint=f"{known} can be downloaded; or {place}" if known else place,
    )


def fits(adapter: Kind, encoder: Kind) -> bool:
    """Whether an encoder of this kind gives what an adapter of that kind reads."""
    return encoder.what == "image-encoder" and set(adapter.vectors) <= set(encoder.vectors)


def _sizes(adapter: Kind) -> str:
    ((what, width),) = adapter.vectors
    return f"{'one vector' if what == 'embeds' else 'states'} of {width} numbers"


def _beside(adapter: ModelRef, *, allow_pickle: bool) -> ModelRef | None:
    """The encoder beside an adapter, if its sizes fit; in the publishers' repository SDXL's has that of SD 1 too."""
    for folder in (adapter.path.parent, adapter.path.parent.parent / "models"):
        path: Path = folder / _BESIDE
        if (path / "config.json").is_file() and fits(adapter.kind, kind := detect(path)):
            licence = known_licence(_BESIDE, path, "path") or adapter.licence
            accepted = check_terms(_BESIDE, licence, None)
            return ModelRef(_BESIDE, path, kind, allow_pickle=allow_pickle, licence=licence, accepted=accepted)
    return None
