"""One canvas on its way through the steps, from its start to the decoded picture."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from overpaint.engines.base import Canvas, ControlImage, Monitor, Painted

from .adapters import ReferencePicture, picture_notes
from .controls import ControlNetwork, SampleControl, sample_control, unused
from .networks import Networks, PromptNetworks
from .options import options_of
from .preview import LatentPreview
from .sample import Sample
from .settings import PaintSettings
from .soft import SoftRule, pixel_opacity
from .start import Moments, Pixels
from .values import Timeline


@dataclass(eq=False)
class CanvasRun:
    """A canvas that is being painted.

    Attributes:
        networks: The model.
        canvas: The canvas.
        monitor: Its progress, previews and cancellation.
        future: Receives the result.
        settings: How it is painted.
        prompt_networks: The model's networks with the LoRAs of its prompt.
        texts: Prompt and negative prompt over the steps.
        controls: The canvas's control images, with the ControlNet of each.
        pictures: Its reference pictures.
    """

    networks: Networks
    canvas: Canvas
    monitor: Monitor
    future: Future[Painted]
    settings: PaintSettings
    prompt_networks: PromptNetworks
    texts: tuple[Timeline, Timeline]
    controls: tuple[tuple[ControlImage, ControlNetwork], ...] = ()
    pictures: tuple[ReferencePicture, ...] = ()

    def __post_init__(self) -> None:
        self._preview: LatentPreview | None = None
        self._repeated: list[str] = []
        self.restart()

    def restart(self, *, wide: bool = False) -> None:
        """Go to the first step; `wide`: in single precision."""
        self.wide = wide
        self._repeated += ["the network"] if wide else []
        self._shown = 0
        model, plan = self.networks.loaded, self.settings.plan
        extra_input = model.family.extra_input if model.inpainting else None
        start = plan.dialect.start(self.canvas, self._encode, extra_input, self.monitor)
        self._began_with = start.shown[0]
        if self.monitor.wants_previews and self._preview is None:
            self._preview = LatentPreview(*start.shown, self.canvas.mask)
        back_end, without = self.settings.runs_on(self.networks.device.type)
        denoiser = self.networks.denoiser(
            self.prompt_networks, exact=self.settings.sampling.exact, wide=wide, back_end="eager" if wide else back_end
        )
        features, whole = self.settings.reuse(denoiser.layers)
        self._notes = without + whole
        self.sample = Sample(
            denoiser,
            plan,
            start.latents,
            positive=self.texts[0],
            negative=self.texts[1],
            noise=start.noise,
            guidance=self.settings.guidance,
            controls=self._controls(wide),
            pictures=self.pictures,
            blend=None if self.settings.soft is None else SoftRule(self.settings.soft),
            monitor=self.monitor,
            features=features,
        )
        self._repeated += self.networks.repeated()

    def _controls(self, wide: bool) -> list[SampleControl]:
        hole, networks = self.settings.plan.dialect.hole(self.canvas), self.networks
        return [
            sample_control(image, networks.guides.widened(one) if wide else one, hole, networks.device)
            for image, one in self.controls
        ]

    def _encode(self, pixels: Pixels) -> Moments:
        self.monitor.check()
        return self.networks.encode(pixels)

    def show_preview(self) -> None:
        """Report a preview of the latest step, once."""
        estimate = self.sample.estimate
        if self._preview is not None and estimate is not None and self.sample.step > self._shown:
            self._shown = self.sample.step
            self.monitor.preview(self._preview(estimate))

    def painted(self) -> Painted:
        """The finished picture. Nothing of the original was pasted into it, so that it is its own evidence.

        Raises:
            OverpaintError: The error that ended the sample early.
        """
        latents = self.sample.result()
        self.monitor.check()
        dialect = self.settings.plan.dialect
        pixels = dialect.finished(self.networks.decode(latents), self.canvas, self._began_with)
        self._repeated += self.networks.repeated()
        embedded = self.sample.denoiser.embeds_guidance
        unguided = () if self.sample.uses_negative else self.settings.unguided(embedded=embedded)
        unguided += self.networks.notes_of(options_of(self.canvas))
        unguided += self.settings.unmasked(inpainting=self.networks.loaded.inpainting)
        share = None
        if (soft := self.settings.soft) is not None:
            kept = self.sample.kept
            share = pixel_opacity(soft.opacity(latents, kept.z0, kept.mask), self.networks.loaded.family.cell)
        notes = self.settings.notes + self._notes + self.sample.denoiser.notes + unguided + self.prompt_networks.notes
        notes += unused(self.canvas.controls, self.sample.steps) + self._repeated_notes()
        notes += tuple(picture_notes([one.control for one in self.pictures]))
        return Painted(pixels, evidence=pixels, notes=notes, share=share)

    def _repeated_notes(self) -> tuple[str, ...]:
        parts = " and ".join(dict.fromkeys(self._repeated))
        return (f"{parts} gave numbers that are not finite, and ran again in single precision",) if parts else ()
