"""`overpaint models`: list, get, convert, check and remove models, and accept their licences."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from rich.filesize import decimal as size

from .options import OUT, PRINTED_UNSET, AsJson, Debug, Printed, argument, switch, verb_group
from .progress import Bar, bar
from .texts import print_json, print_line, print_rows, visible

if TYPE_CHECKING:
    from overpaint.models import CatalogueEntry, ModelEntry

_MODEL = Group("Model", sort_key=0)
_HOW = Group("How", sort_key=1)

app = verb_group(
    "models",
    "List, get, convert, check and remove models. Only 'get' uses the network.",
    "models list --all",
    "models get lama",
    "models get sd15-inpainting",
    "models add dreamshaper.safetensors",
)

Name = Annotated[
    str,
    argument("NAME", "As 'models list' has it: of the store, of the catalogue, or OWNER/NAME of Hugging Face.", _MODEL),
]


@app.command(name="list", sort_key=0)
def list_(
    *,
    all: Annotated[bool, switch("--all", "Also list the catalogue, whose models can be downloaded.", OUT)] = False,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List the models on this machine: kind, size, licence, digest.

    [dim]$[/] overpaint models list
    [dim]$[/] overpaint models list --all
    """
    from overpaint.models import CATALOGUE, entries, store_folder

    here = entries()
    names = {entry.name for entry in here}
    offered = [row for row in CATALOGUE if all and not names & {row.name, row.hub or row.name}]
    if json:
        found: dict[str, Any] = {"store": str(store_folder()), "models": [mapping(entry) for entry in here]}
        if all:
            found["catalogue"] = [_row(row) for row in offered]
        print_json(found)
        return 0
    if here:
        rows = [("model", "what it is", "size", "licence", "where", "SHA-256")]
        rows += [
            (
                entry.name,
                what(entry),
                size(entry.size),
                entry.licence or "?",
                entry.origin,
                (entry.sha256 or "-")[:12],
            )
            for entry in here
        ]
        print_rows(rows, header=True)
    else:
        print_line(f"No model is here yet (the store is {store_folder()}).")
    if offered:
        lines = [("can be downloaded", "what it is", "size", "licence", "from", "about")]
        lines += [(row.name, row.title, f"{row.gigabytes:g} GB", row.licence, row.place, row.about) for row in offered]
        print()
        print_rows(lines, header=True)
        print("\n'overpaint models get NAME' downloads one.")
    elif not all:
        print("\n'overpaint models list --all' also shows models that can be downloaded.")
    if faster := _for_fast(here):
        print_line(f"'overpaint models get' brings {' and '.join(faster)}, with which --preset fast is faster.")
    return 0


def _for_fast(here: Sequence[ModelEntry]) -> list[str]:
    """What the preset fast lacks for the checkpoints that are here; the one that comes with Overpaint needs nothing."""
    from overpaint import pocket
    from overpaint.studio.presets import lacking_for_fast

    kinds = [one.kind for one in here if one.kind is not None and one.name != pocket.NAME]
    families = sorted({kind.family for kind in kinds if kind.what == "checkpoint" and kind.family is not None})
    return list(dict.fromkeys(name for family in families for name in lacking_for_fast(family)))


@app.command(sort_key=1)
def show(name: Name, /, *, json: AsJson = False, debug: Debug = False) -> int:
    """Everything about one model.

    [dim]$[/] overpaint models show sd15-inpainting
    [dim]$[/] overpaint models show ./dreamshaper.safetensors
    """
    from overpaint.models import ModelError, entry, listed

    try:
        found = entry(name)
    except ModelError:
        row = listed(name)
        if row is None:
            raise
        if json:
            print_json(_row(row))
        else:
            _print_row(row)
        return 0
    if json:
        print_json(mapping(found))
    else:
        _print_entry(found)
    return 0


@app.command(sort_key=2)
def add(
    path: Annotated[str, Parameter(group=_MODEL)],
    /,
    *,
    name: Annotated[str | None, Parameter(group=_HOW, metavar="NAME")] = None,
    link: Annotated[bool, Parameter(group=_HOW, negative=())] = False,
    licence: Annotated[str | None, Parameter(group=_HOW, metavar="TEXT")] = None,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Take a model into the store: a checkpoint, LoRA, VAE, eraser, selector, upscaler or another network.

    [dim]$[/] overpaint models add dreamshaper.safetensors
    [dim]$[/] overpaint models add /data/big-model --link --name big

    Args:
        path: A file, or a folder in the layout of diffusers or transformers, or with an encoder and a decoder in ONNX.
        name: What to call it.
        link: Leave the model where it is, and only link to it.
        licence: The licence, which is kept with the model.
    """
    from overpaint.models import add as take

    source = Path(path).expanduser()
    with bar(quiet=printed.quiet) as shown:
        entry = take(
            source, name, link=link, licence=licence or "", on_bytes=_counting(shown, "copying", _bytes_of(source))
        )
    _report(entry, "added", printed)
    return 0


@app.command(sort_key=3)
def get(
    name: Annotated[str, Parameter(group=_MODEL)],
    /,
    *,
    variant: Annotated[str | None, Parameter(group=_HOW, metavar="NAME")] = None,
    full: Annotated[bool, Parameter(group=_HOW, negative=())] = False,
    allow_pickle: Annotated[bool, Parameter(group=_HOW, negative=())] = False,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Download a model into the store. An interrupted download continues where it stopped.

    [dim]$[/] overpaint models get sd15-inpainting
    [dim]$[/] overpaint models get Lykon/dreamshaper-8-inpainting

    Args:
        name: Of the catalogue, or OWNER/NAME (or OWNER/NAME/FILE) of Hugging Face.
        variant: Which set of weights, where there are several. Left out: half precision (fp16).
        full: The full-precision weights instead.
        allow_pickle: Take a pickle (.ckpt, .pt, .bin) where there is no .safetensors; its weights alone are ever read.
    """
    from overpaint.models import get as download
    from overpaint.models.download import HuggingFace

    def on_file(file: str, done: int, whole: int) -> None:
        if file and not printed.quiet:
            print(visible(f"{size(done)} of {size(whole)}: {file}"), file=sys.stderr, flush=True)

    hub = HuggingFace(progress=not printed.quiet and sys.stderr.isatty())
    entry = download(name, variant="" if full else variant, allow_pickle=allow_pickle, hub=hub, on_file=on_file)
    _report(entry, "downloaded", printed)
    return 0


@app.command(sort_key=4)
def verify(
    *names: Annotated[str, argument("NAME", "The models. Left out: all of the store.", _MODEL)],
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Read models from the disk and compare them with their digests. Exit status 1 if one differs.

    [dim]$[/] overpaint models verify
    """
    from overpaint.models import entries
    from overpaint.models import verify as check

    chosen = names or tuple(entry.name for entry in entries() if entry.origin == "store")
    results: list[tuple[ModelEntry, tuple[str, ...]]] = []
    for name in chosen:
        with bar(quiet=printed.quiet) as shown:
            results.append(check(name, _counting(shown, f"reading {name}", 0)))
    if printed.json:
        found = [{**mapping(entry), "whole": not faults, "faults": list(faults)} for entry, faults in results]
        print_json(found)
    else:
        for entry, faults in results:
            if faults or not printed.quiet:
                print_line(f"{entry.name}: {'; '.join(faults) or f'whole, SHA-256 {entry.sha256}'}")
        if not results and not printed.quiet:
            print("The store is empty.")
    return 1 if any(faults for _, faults in results) else 0


@app.command(sort_key=5)
def remove(name: Name, /, *, printed: Printed = PRINTED_UNSET) -> int:
    """Delete a model of the store; never a model of another program, or the target of a link.

    [dim]$[/] overpaint models remove sd15-inpainting
    """
    from overpaint.models import listed
    from overpaint.models import remove as delete

    row = listed(name)
    entry = delete(row.hub if row is not None and row.hub else name)
    _report(entry, "removed", printed)
    return 0


@app.command(sort_key=6)
def convert(
    name: Annotated[
        str,
        argument("NAME|FILE", "An eraser, as 'models list' has it, or a file of one in any folder.", _MODEL),
    ],
    /,
    *,
    to: Annotated[str | None, Parameter(group=_HOW, metavar="NAME")] = None,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Make a safetensors file in the store from an eraser in a pickle or a TorchScript program. None of its code runs.

    [dim]$[/] overpaint models convert ~/.cache/torch/hub/checkpoints/big-lama.pt

    Args:
        to: What to call it. Left out: its name in the catalogue, or that of its file.
    """
    from overpaint.models import convert

    _report(convert(name, to), "converted", printed)
    return 0


@app.command(sort_key=7)
def accept(name: Name, /, *, printed: Printed = PRINTED_UNSET) -> int:
    """Accept the licence of a model that is non-commercial, or has a text of its own. Your yes is kept with its date.

    [dim]$[/] overpaint models accept mat
    """
    from overpaint.models import accept as keep
    from overpaint.models import accepted_on, licence_terms

    terms = licence_terms(name)
    if terms is None:
        if printed.json:
            print_json({"model": name, "licence": None, "text": None, "accepted": None})
        elif not printed.quiet:
            print_line(f"{name} needs no acceptance: it can be used as it is.")
        return 0
    before = accepted_on(terms)
    day = keep(terms)
    if printed.json:
        print_json({"model": terms.model, "licence": terms.licence, "text": terms.where, "accepted": day})
    elif not printed.quiet:
        done = f"was accepted on {before}" if before else f"is accepted, as of {day}"
        print_line(f"{terms.licence} of {terms.model} {done}; its text: {terms.where}")
    return 0


def what(entry: ModelEntry) -> str:
    """What a model is, or why it can't be used."""
    return entry.kind.title if entry.kind is not None else f"can't be used: {entry.fault}"


def usual(entry: ModelEntry) -> tuple[dict[str, Any], str]:
    """The checkpoint's usual settings, where they differ from the defaults; or why they are unknown."""
    kind = entry.kind
    if kind is None or kind.what != "checkpoint":
        return {}, ""
    from overpaint.engines.diffusion.usual import usual_of
    from overpaint.models import ModelError, ModelRef

    try:
        return usual_of(ModelRef(entry.name, entry.path, kind)).to_mapping(), ""
    except ModelError as error:
        return {}, f"unknown: {error}"


def limits(entry: ModelEntry) -> dict[str, Any]:
    """The things that a model paints recognisably, and the intents that it may be used for unasked; None: any."""
    from overpaint.models import ModelError, read_hints

    try:
        hints = read_hints(entry.path)
    except ModelError:  # the line `usual` says so
        return {"words": None, "intents": None}
    return {"words": hints.words, "intents": hints.intents}


def read(entry: ModelEntry) -> tuple[str, ...] | None:
    """The kinds of controls that a ControlNet is used for where none is named; None for any other model."""
    from overpaint.models import control_kinds

    kind = entry.kind
    return control_kinds(entry.name, kind) if kind is not None and kind.what == "controlnet" else None


_KIND = ("what", "family", "channels", "prediction", "lcm", "precision", "form")


def mapping(entry: ModelEntry) -> dict[str, Any]:
    """The object that --json writes for a model that is here."""
    kind = entry.kind
    return {
        "name": entry.name,
        "path": str(entry.path),
        "where": entry.origin,
        "bytes": entry.size,
        "usable": kind is not None and kind.what != "other",
        "title": what(entry),
        **{name: getattr(kind, name, None) for name in _KIND},
        "usual": usual(entry)[0],
        **limits(entry),
        "reads": read(entry),
        "licence": entry.licence or None,
        "sha256": entry.sha256,
        "source": entry.note.source or None,
    }


def _row(row: CatalogueEntry) -> dict[str, Any]:
    names = ("name", "what", "title", "licence", "gigabytes", "about", "source")
    unset = {name: getattr(row, name) or None for name in ("hub", "family", "channels", "terms")}
    return {**{name: getattr(row, name) for name in names}, **unset}


def _print_row(row: CatalogueEntry) -> None:
    print_rows(
        [
            ("model", row.name),
            ("what it is", row.title),
            ("about", row.about),
            ("licence", row.licence + (f", to be accepted first: {row.terms}" if row.terms else "")),
            ("size", f"about {row.gigabytes:g} GB"),
            ("from", row.source),
            ("here", f"no; 'overpaint models get {row.name}' downloads it"),
        ]
    )


def _print_entry(entry: ModelEntry) -> None:
    kind = entry.kind
    rows = [("model", entry.name), ("what it is", what(entry)), ("size", f"{entry.size:,} bytes")]
    if kind is not None and kind.channels:
        rows.append(("channels", f"{kind.channels}" + (" (made for inpainting)" if kind.inpainting else "")))
    if kind is not None and kind.prediction:
        rows.append(("predicts", {"epsilon": "the noise", "v": "v"}[kind.prediction] + f" ({kind.because})"))
    settings, fault = usual(entry)
    if settings or fault:
        rows.append(("usual", fault or ", ".join(f"{name} {value}" for name, value in settings.items())))
    known = limits(entry)
    if known.get("words"):
        rows.append(("paints", ", ".join(known["words"])))
    if known.get("intents"):
        rows.append(("unasked", f"used for {', '.join(known['intents'])} where no model is named"))
    if kind is not None and kind.what == "controlnet":
        rows.append(("reads", ", ".join(read(entry) or ()) or "what a control says that names it"))
    if kind is not None and kind.form == "pickle":
        rows.append(("form", "a pickle: only used with --allow-pickle"))
    if kind is not None and kind.form == "torchscript":
        rows.append(("form", "a TorchScript program: it runs only with --allow-pickle"))
    rows += [("licence", entry.licence or "not known"), ("where", f"{entry.path} ({entry.origin})")]
    if entry.note.source:
        rows.append(("from", entry.note.source))
    if entry.sha256 or kind is not None:
        rows.append(("SHA-256", entry.sha256 or "not computed yet: 'overpaint models verify' does"))
    print_rows(rows)


def _report(entry: ModelEntry, done: str, printed: Printed) -> None:
    if printed.json:
        print_json(mapping(entry))
    elif not printed.quiet:
        licence = f", licence {entry.licence}" if entry.licence else ""
        print_line(f"{done} {entry.name}: {what(entry)}, {size(entry.size)}{licence}")


def _bytes_of(path: Path) -> int:
    """The length of a bar; 0 for files that can't be read, whose error comes from their use."""
    from overpaint.models.verify import size_of

    try:
        return size_of(path)
    except OSError:
        return 0


def _counting(shown: Bar, step: str, whole: int) -> Callable[[int], None]:
    """A function that shows on a bar how many bytes are done, in megabytes."""
    done = 0
    shown.say(step)

    def count(sent: int) -> None:
        nonlocal done
        done += sent
        if whole:
            shown.advance(min(done, whole) >> 20, max(whole >> 20, 1))

    return count
