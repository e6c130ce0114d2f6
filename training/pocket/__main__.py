"""`python -m training.pocket STAGE`: photos, tokenizer, backbone, autoencoder, denoiser, export, evaluate, card."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from . import (
    autoencoder,
    card,
    config,
    dataset,
    denoiser,
    evaluate,
    export,
    initial_weights,
    mobilenet,
    phrases,
    tokenizer,
)
from . import photos as photos_
from .loop import Limits, Progress
from .state import State

SHARED = Path(__file__).resolve().parents[3] / "shared"
app = App(name="python -m training.pocket", help=__doc__, result_action="return_value")


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """Options of every stage."""

    state: Path = Path("../pocket-state")
    """Folder outside the repository with the files of all stages."""
    config: Path = config.DEFAULT
    """Settings of all stages (TOML)."""


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """Options of the stages that train."""

    device: str = "auto"
    """cpu, cuda, or auto: a GPU when there is one."""
    minutes: float | None = None
    """End this run after this many minutes; the state is saved, and the same command continues."""
    steps: int | None = None
    """End this run after this many steps; likewise."""
    within: float | None = None
    """Minutes of the whole schedule, in place of the config's."""
    begin: Path | None = None
    """Checkpoint folder (such as the shipped one) whose weights start the training when there is no state."""
    fast: bool = False
    """Compile the networks: a minute or two once, then faster steps on a GPU."""
    record: bool = True
    """On a GPU, replay steps as CUDA graphs."""

    @property
    def limits(self) -> Limits:
        """The limits of this run for the loop."""
        return Limits(self.steps, None if self.minutes is None else 60 * self.minutes)

    def schedule(self, settings: config.Config, stage: str) -> config.Config:
        """The config with `within` as the minutes of a stage; ValueError unless it is above 0."""
        if self.within is None:
            return settings
        if self.within <= 0:
            raise ValueError(f"within is {self.within:g} minutes: more than 0 are needed")
        changed = getattr(settings, stage).model_copy(update={"minutes": self.within})
        return settings.model_copy(update={stage: changed})


_COMMON, _RUN = CommonOptions(), RunOptions()


def _report(line: str) -> None:
    print(line, flush=True)


@app.command
def photos(
    tars: Path = SHARED / "photos" / "train",
    *,
    limit: Annotated[int | None, Parameter(help="Use only the first N photos.")] = None,
    jobs: Annotated[int, Parameter(help="Processes that cut objects out.")] = 1,
    whole: Annotated[bool, Parameter(help="Cut no objects out: faster, and enough for the autoencoder.")] = False,
    common: CommonOptions = _COMMON,
) -> None:
    """Read the tars of photos, apply the licence filter, cut out objects."""
    data = config.read(common.config).data
    data = data.model_copy(update={"cut": ()}) if whole else data
    dataset.build(tars, State(common.state).photos, data, limit=limit, jobs=jobs, report=_report)


@app.command(name="tokenizer")
def tokenizer_(
    *,
    begin: Annotated[Path | None, Parameter(help="Copy the vocabulary of this checkpoint folder.")] = None,
    common: CommonOptions = _COMMON,
) -> None:
    """Learn the vocabulary from captions and from common prompt words."""
    settings, state = config.read(common.config).networks.text, State(common.state)
    if begin is not None:
        initial_weights.copy_vocabulary(begin, state.tokenizer)
        _report(f"{len(tokenizer.load(state.tokenizer))} tokens of {begin}: {state.tokenizer}")
        return
    texts = phrases.corpus(dataset.records(state.photos))
    count = tokenizer.write(state.tokenizer, texts, vocabulary=settings.vocabulary, length=settings.length)
    _report(f"{count} tokens: {state.tokenizer}")


@app.command(name="backbone")
def backbone_(
    network: Path = SHARED / "nets" / "deeplabv3_mnv2_ade20k_int8.tflite", *, common: CommonOptions = _COMMON
) -> None:
    """Convert a published network for the perceptual loss of the autoencoder."""
    target = State(common.state).backbone
    target.parent.mkdir(parents=True, exist_ok=True)
    mobilenet.convert(network, target)
    _report(f"{target}")


@app.command(name="autoencoder")
def autoencoder_(
    *, features: Path = SHARED / "nets" / "taef2_encoder.pth", run: RunOptions = _RUN, common: CommonOptions = _COMMON
) -> None:
    """Train the autoencoder, or continue; `features` is the encoder of the feature loss."""
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
        report=_report,
    )
    _report_end(done)


@app.command(name="denoiser")
def denoiser_(*, run: RunOptions = _RUN, common: CommonOptions = _COMMON) -> None:
    """Train denoiser and text encoder on the frozen autoencoder, or continue."""
    settings, state = config.read(common.config), State(common.state)
    done = denoiser.train(
        run.schedule(settings, denoiser.STAGE),
        state,
        device=run.device,
        limits=run.limits,
        begin=run.begin,
        fast=run.fast,
        record=run.record,
        report=_report,
    )
    _report_end(done)


@app.command(name="export")
def export_(folder: Path, *, common: CommonOptions = _COMMON) -> None:
    """Write the averaged weights as a checkpoint folder that diffusers opens."""
    export.write(config.read(common.config), State(common.state), folder, report=_report)


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
    evaluate.measure(folder, photos, classifier, out, seeds=seeds, limit=limit, report=_report)


@app.command(name="card")
def card_(
    folder: Path,
    *,
    results: Path = Path("bench-out/pocket/results.json"),
    tars: Path = SHARED / "photos" / "train",
    device: Annotated[str, Parameter(help="Description of the training machine.")],
    objects: Annotated[str | None, Parameter(help="Description of painted objects, from `evaluate`'s sheet.")] = None,
    common: CommonOptions = _COMMON,
) -> None:
    """Write MODEL_CARD.md beside the weights, from the files of the other stages."""
    settings = config.read(common.config)
    given = photos_.count(tars)
    card.write(
        settings, State(common.state), folder, results, given=given, device=device, objects=objects, report=_report
    )


def _report_end(progress: Progress) -> None:
    _report(f"stopped at step {progress.step} after {progress.seconds:.0f} s of training; the same command continues")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 on failure with a one-line reason."""
    try:
        app(sys.argv[1:] if argv is None else argv)
    except (OSError, ValueError, ArithmeticError, ImportError) as error:
        print(f"training.pocket: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
