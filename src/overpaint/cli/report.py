"""The report of a finished edit: one line for people, one object for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .streams import as_written
from .texts import visible

if TYPE_CHECKING:
    from overpaint.studio import Edited, Saved

_DONE = {
    "remove": "removed",
    "replace": "replaced",
    "recolor": "recoloured",
    "background": "repainted the background in",
    "refine": "refined",
    "add": "painted",
    "expand": "expanded",
    "custom": "edited",
}
_FROM_PROMPT = ("replace", "recolor", "background", "refine", "add")


def line(edited: Edited, name: str, saved: Saved, seconds: float | None) -> str:
    """One line: what was done, how, and what is measured of all other pixels; `seconds` None for one of several."""
    engine = edited.bare_resolved.model or edited.bare_resolved.engine
    time = "" if seconds is None else f" in {seconds:.1f} s"
    again = edited.original.source.format == saved.format
    return f"{name}: {_what(edited)} with {engine}{time}; {rest(saved, again)}"


def _what(edited: Edited) -> str:
    done = _DONE[edited.bare_resolved.intent]
    if edited.bare_resolved.paints_from == "surroundings" and edited.bare_resolved.intent in _FROM_PROMPT:
        done = "filled"
    if edited.bare_resolved.paints_from == "settings" and edited.bare_resolved.intent == "add":
        done = "put the object into"
    if edited.bare_resolved.intent == "expand":
        return f"{done} {edited.original.size} to {edited.picture.size}"
    count, size = sum(region.parts for region in edited.regions), edited.mask.bounds.size
    return f"{done} 1 region ({size} px)" if count == 1 else f"{done} {count} regions (together within {size} px)"


def rest(saved: Saved, again: bool) -> str:
    """What holds beyond the reach, as it was measured on the file, and who signed it; `again`: the picture had this
    format before.
    """
    signed = f"; signed by {visible(saved.marks.signer)}" if saved.marks.signer else ""
    return _beyond(saved, again) + signed


def _beyond(saved: Saved, again: bool) -> str:
    reach = saved.reach
    saving = f"saved {'again ' if again else ''}as {saved.format}"
    if saved.fidelity == "lossless":
        return f"reach {reach} px; every other pixel unchanged"
    if saved.fidelity == "blocks" and not saved.changed:
        return f"reach {reach} px, in whole JPEG blocks; every other pixel unchanged"
    if not saved.changed and saved.fidelity == "watermarked" and saved.marks.watermark is not None:
        return f"reach {reach} px; the watermark {saved.marks.watermark.name} changed no other pixel"
    if not saved.changed:
        return f"reach {reach} px; {saving}, and every other pixel came out unchanged"
    levels = "1 level" if saved.largest == 1 else f"{saved.largest} levels"
    levels += "" if saved.depth == 8 else f" of {(1 << saved.depth) - 1:,}"
    if saved.marks.watermark is not None and saved.fidelity == "watermarked":
        name = saved.marks.watermark.name
        return f"reach {reach} px; the watermark {name} changed {saved.changed:,} other pixels by up to {levels}"
    return (
        f"reach {reach} px; {saving}, which changed {saved.changed:,} other pixels by up to {levels} (png keeps them)"
    )


def mapping(
    source: str, edited: Edited, saved: Saved, extras: dict[str, Path], seconds: float | None
) -> dict[str, Any]:
    """The object that --json writes. Boxes are left, top, right, bottom in pixels of the result; `seconds` None for one
    of several.
    """
    resolved = edited.bare_resolved
    return {
        "input": as_written(source),
        "output": str(saved.path),
        "format": saved.format,
        "sidecar": None if saved.sidecar is None else str(saved.sidecar),
        **{name: str(path) for name, path in extras.items()},
        "intent": resolved.intent,
        "engine": resolved.engine,
        "model": resolved.model,
        "prompt": resolved.prompt or edited.bare_request.prompt,
        "seed": resolved.seed,
        "size": list(edited.picture.size),
        "placed": list(edited.placed),
        "reach": saved.reach,
        "fidelity": saved.fidelity,
        "changed_beyond_reach": saved.changed,
        "largest_change_beyond_reach": saved.largest,
        "depth": saved.depth,
        "quality": asdict(edited.quality),
        "doubt": edited.doubt or None,
        "doubts": edited.doubts,
        "regions": [region.record.to_mapping() for region in edited.regions],
        "marks": saved.marks.to_mapping(),
        "sha256": saved.sha256,
        "bytes": saved.size,
        **({} if seconds is None else {"seconds": round(seconds, 3)}),
        "timings": dict(edited.timings),
        "notes": [*edited.notes, *saved.notes],
    }
