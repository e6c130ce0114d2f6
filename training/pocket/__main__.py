"""`python -m training.pocket STAGE`: photos, tokenizer, backbone, autoencoder, denoiser, export, evaluate, card."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from . import autoencoder, card, config, denoiser, evaluate, export, mobilenet, phrases, shelf, start, tokenizer
from . import photos as photos_
from .loop import Limits, Progress
from .state import State

SHARED = Path(__file__).resolve().parents[3] / "shared"
app = App(name="python -m training.pocket", help=__doc__, result_action="return_value")


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every stage."""

    state: Path = Path("../pocket-state")
    """Folder, outside the repository, where stages leave their work and find that of others."""
    config: Path = config.DEFAULT
    """Settings of all stages (TOML)."""


@Parameter(name="*")
@dataclass(frozen=True)
class Run:
    """Options of the stages that train."""

    device: str = "auto"
    """cpu, cuda, or auto: a GPU when there is one."""
    minutes: float | None = None
    """End this run after so many minutes; the state is saved and the same command goes on."""
    steps: int | None = None
    """End this run after so many steps, likewise."""
    within: float | None = None
    """Go through the whole schedule in so many minutes, whatever the config says."""
    begin: Path | None = None
    """A finished checkpoint folder (such as the shipped one) to begin from when there is no state."""
    fast: bool = False
    """Compile the networks: a minute or two once, then faster steps on a GPU."""
    record: bool = True
    """On a GPU, replay steps as CUDA graphs."""

    @property
    def limits(self) -> Limits:
        """As the loop wants them."""
        return Limits(self.steps, None if self.minutes is None else 60 * self.minutes)

    def schedule(self, settings: config.Config, stage: str) -> config.Config:
        """The config with a stage's time as `within` has it; ValueError when that is no time."""
        if self.within is None:
            return settings
        if self.within <= 0:
            raise ValueError(f"within is {self.within:g} minutes: more than 0 are needed")
        changed = getattr(settings, stage).model_copy(update={"minutes": self.within})
        return settings.model_copy(update={stage: changed})


_COMMON, _RUN = Common(), Run()


def _say(line: str) -> None:
    print(line, flush=True)


@app.command
def photos(
    tars: Path = SHARED / "photos" / "train",
    *,
    limit: Annotated[int | None, Parameter(help="Use the first so many photos alone.")] = None,
    jobs: Annotated[int, Parameter(help="Processes that cut objects out.")] = 1,
    whole: Annotated[bool, Parameter(help="Cut nothing out: soon done, and all that the autoencoder needs.")] = False,
    common: Common = _COMMON,
) -> None:
    """Read the tars of photos, leave out what the licence filter names, cut out objects."""
    data = config.read(common.config).data
    data = data.model_copy(update={"cut": ()}) if whole else data
    shelf.build(tars, State(common.state).photos, data, limit=limit, jobs=jobs, say=_say)


@app.command(name="tokenizer")
def tokenizer_(
    *,
    begin: Annotated[Path | None, Parameter(help="Take over the vocabulary of this checkpoint folder.")] = None,
    common: Common = _COMMON,
) -> None:
    """Learn the vocabulary of the captions and of the words that prompts are made of."""
    settings, state = config.read(common.config).networks.text, State(common.state)
    if begin is not None:
        start.vocabulary(begin, state.tokenizer)
        _say(f"{len(tokenizer.load(state.tokenizer))} tokens of {begin}: {state.tokenizer}")
        return
    texts = phrases.corpus(shelf.records(state.photos))
    count = tokenizer.write(state.tokenizer, texts, vocabulary=settings.vocabulary, length=settings.length)
    _say(f"{count} tokens: {state.tokenizer}")


@app.command(name="backbone")
def backbone_(
    network: Path = SHARED / "nets" / "deeplabv3_mnv2_ade20k_int8.tflite", *, common: Common = _COMMON
) -> None:
    """Read a published network whose features say what is alike to the eye, for the autoencoder's losses."""
    target = State(common.state).backbone
    target.parent.mkdir(parents=True, exist_ok=True)
    mobilenet.convert(network, target)
    _say(f"{target}")


@app.command(name="autoencoder")
def autoencoder_(
    *, features: Path = SHARED / "nets" / "taef2_encoder.pth", run: Run = _RUN, common: Common = _COMMON
) -> None:
    """Train the autoencoder, or go on; `features` is the encoder of the feature loss."""
    settings, state = config.read(common.config), State(common.state)
    done = autoencoder.train(
        run.schedule(settings, autoencoder.STAGE),
        state,
        device=run.device,
        features=features,
        limits=run.limits,
        begin=run.begin,
        fast=run.fast,
        record=run.record,
        say=_say,
    )
    _ended(done)


@app.command(name="denoiser")
def denoiser_(*, run: Run = _RUN, common: Common = _COMMON) -> None:
    """Train denoiser and text encoder on the frozen autoencoder, or go on."""
    settings, state = config.read(common.config), State(common.state)
    done = denoiser.train(
        run.schedule(settings, denoiser.STAGE),
        state,
        device=run.device,
        limits=run.limits,
        begin=run.begin,
        fast=run.fast,
        record=run.record,
        say=_say,
    )
    _ended(done)


@app.command(name="export")
def export_(folder: Path, *, common: Common = _COMMON) -> None:
    """Write the averaged weights as a checkpoint folder that diffusers opens."""
    export.write(config.read(common.config), State(common.state), folder, say=_say)


@app.command(name="evaluate")
def evaluate_(
    folder: Path,
    *,
    photos: Path = SHARED / "photos" / "eval",
    classifier: Path = SHARED / "nets" / "mobilenet_edgetpu_224_1.0_uint8.tflite",
    out: Path = Path("bench-out/pocket"),
    seeds: int = 8,
    limit: int | None = None,
) -> None:
    """Measure a checkpoint through diffusers' pipeline: reconstruction, colours and nouns of 20 prompts, time."""
    evaluate.measure(folder, photos, classifier, out, seeds=seeds, limit=limit, say=_say)


@app.command(name="card")
def card_(
    folder: Path,
    *,
    results: Path = Path("bench-out/pocket/results.json"),
    tars: Path = SHARED / "photos" / "train",
    device: Annotated[str, Parameter(help="What it was trained on, in words.")],
    objects: Annotated[str | None, Parameter(help="How well it paints things, as seen on `evaluate`'s sheet.")] = None,
    common: Common = _COMMON,
) -> None:
    """Write MODEL_CARD.md beside the weights, from what the other stages left."""
    settings = config.read(common.config)
    given = photos_.count(tars)
    card.write(settings, State(common.state), folder, results, given=given, device=device, objects=objects, say=_say)


def _ended(progress: Progress) -> None:
    _say(f"stopped at step {progress.step} after {progress.seconds:.0f} s of training; the same command goes on")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the stage did its work, 2 when it could not: the reason is then one line."""
    try:
        app(sys.argv[1:] if argv is None else argv)
    except (OSError, ValueError, ArithmeticError, ImportError) as error:
        print(f"training.pocket: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
