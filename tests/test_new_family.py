"""A new family of models is one object: here a toy transformer over packed tokens that predicts a flow."""

from types import SimpleNamespace as Record

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate, pixel_shuffle, pixel_unshuffle

from overpaint import Mask, Studio
from overpaint.engines.diffusion.families import Family
from overpaint.engines.diffusion.schedule import Training
from overpaint.engines.diffusion.values import Conditioning, LoadedModel
from overpaint.geometry import Box, Size
from overpaint.models import Kind, digest, register_family
from overpaint.picture import from_array

COLOURS = {"red": (1.0, -1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}


class Vae(torch.nn.Module):
    config, dtype = Record(scaling_factor=0.5, shift_factor=0.1), torch.float32
    disable_tiling = enable_tiling = lambda self: None
    encode = lambda self, x: Record(latents=avg_pool2d(x, 8))  # noqa: E731
    decode = lambda self, z: Record(sample=interpolate(z, scale_factor=8.0))  # noqa: E731


class Transformer(torch.nn.Linear):
    """Predicts noise - x0, where x0 is the text's colour in the hole, and the masked picture elsewhere."""

    dtype = torch.float32

    def forward(self, tokens, s, text):
        x, masked, hole = tokens.split((12, 12, 256), dim=2)
        assert hole.unique().tolist() == [0.0, 1.0], "the mask is exact to the pixel"
        covered = hole.unflatten(2, (64, 4)).amax(2).repeat(1, 1, 3) > 0
        return (x - torch.where(covered, text.repeat_interleave(4, dim=2), masked)) / s[:, None, None]


class Texts:
    def plan(self, prompt, negative, settings, inversions):
        return Record(key=prompt.sections[0][0].text), Record(key="")

    def encode(self, job):
        return Conditioning({"context": (torch.tensor([[COLOURS.get(job.key, (0, 0, 0))]]) - 0.1) * 0.5})


class Toy(Family):
    name, title, multiple = "toy", "Toy transformer", 16

    def recognise(self, path, table):
        return Kind("checkpoint", "folder", family="toy", prediction="flow") if (path / "toy.json").exists() else None

    def load(self, ref, dtype):
        return LoadedModel(self, Transformer(1, 1), Vae(), (), (), {}, "flow", digest(ref.path), inpainting=True)

    native_size = staticmethod(lambda ref: 64)
    training = staticmethod(lambda config, size: Training.flow(shift=3.0))
    text_encoding = staticmethod(lambda model, encoders, digest: Texts())

    def extra_input(self, pixels, hole, cells, encode):
        mask = torch.from_numpy(hole.astype(np.float32))[None, None]
        return torch.cat([encode(np.where(hole[..., None], np.float32(0.5), pixels)), pixel_unshuffle(mask, 8)], 1)

    def predict(self, network, given):
        packed = [pixel_unshuffle(one, 2).flatten(2).mT for one in (given.x, given.extra[:, :3], given.extra[:, 3:])]
        tokens = network(torch.cat(packed, dim=2), given.sigma / (1 + given.sigma), given.conditioning.context)
        return pixel_shuffle(tokens.mT.unflatten(2, [side // 2 for side in given.x.shape[2:]]), 2)


def test_a_new_family_paints_what_the_prompt_says_and_nothing_else(tmp_path):
    register_family(Toy())
    (tmp_path / "toy.json").write_text("{}")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    ask = {"mask": Mask.box(Size(96, 64), Box(32, 16, 64, 48)), "colour_match": False, "seam": False, "detail": "none"}
    with Studio(device="cpu", model=str(tmp_path)) as studio:
        for word, colour in COLOURS.items():
            found = studio.edit(from_array(pixels), intent="replace", prompt=word, **ask).picture.samples
            assert np.abs(found[20:44, 36:60] / 127.5 - 1 - colour).max() < 0.05
            assert np.array_equal(found[:, 80:], pixels[:, 80:])
