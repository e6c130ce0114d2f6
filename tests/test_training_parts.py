"""Parts of the training: masks, colour words, phrases, the vocabulary, schedules; each by what it promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from training.pocket import __main__ as command
from training.pocket import (
    colours,
    config,
    critics,
    initial_weights,
    losses,
    masks,
    muon,
    networks,
    phrases,
    scenes,
    tokenizer,
)
from training.pocket.config import Schedule
from training.pocket.denoiser import weight
from training.pocket.evaluation_prompts import (
    EVALUATION_PROMPTS,
    REFERENCE_COLOURS,
    hue_error,
    hue_improved,
    mean_colour,
)
from training.pocket.loop import Progress, WeightAverage, rate_factor, share_done
from training.pocket.objects import is_plausible_cut, nouns
from training.pocket.photos import PhotoRecord, allowed
from training.pocket.pool import EncodedScenes, ScenePool

EVERYWHERE = torch.ones(1, 1, 4, 4, dtype=torch.bool)
HERE = Path(config.__file__).parent


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def painted(red: int, green: int, blue: int) -> torch.Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, 4, 4) / 255


@pytest.mark.parametrize("name", ["pocket.toml", "small.toml"])
def test_the_configs_describe_networks_that_may_be_shipped(name: str) -> None:
    wanted = config.read(HERE / name).networks
    with torch.device("meta"):
        nets = (
            networks.autoencoder(wanted.autoencoder),
            networks.text_encoder(wanted.text, wanted.text.vocabulary),
        )
    unet = networks.denoiser(wanted)
    assert networks.parameters(*nets, unet) <= networks.MAX_PARAMETERS
    assert unet.config.in_channels == 9, "the number of channels that diffusers' inpainting pipeline accepts"


def test_both_configs_describe_the_same_networks() -> None:
    assert config.read(HERE / "pocket.toml").networks == config.read(HERE / "small.toml").networks


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[denoiser]\nbach = 3\n")
    with pytest.raises(ValueError, match=r"wrong\.toml.*\n?.*bach"):
        config.read(tmp_path / "wrong.toml")


@pytest.mark.parametrize(
    ("licence", "kept"),
    [
        ("CC0-1.0", True),
        ("CC-BY-4.0 / Unsplash", True),
        ("CC-BY-SA-3.0", False),
        ("CC-BY-4.0 / GPL-2", False),
        ("LGPL-3.0 / CC-BY-SA-4.0", False),
        ("OSL-3.0/AFL-3.0", False),
        ("Unlicense (public domain)", True),
    ],
)
def test_licences(licence: str, kept: bool) -> None:
    assert allowed(licence, config.Data().without) is kept


@pytest.mark.parametrize(("word", "colour"), REFERENCE_COLOURS.items())
def test_reference_colours_get_their_usual_names(word: str, colour: tuple[int, int, int]) -> None:
    assert colours.words(painted(*colour), EVERYWHERE) == [[word]]


@pytest.mark.parametrize(
    ("word", "colour"),
    [
        ("black", (12, 12, 16)),
        ("white", (245, 245, 240)),
        ("grey", (128, 130, 126)),
        ("brown", (110, 70, 35)),
        ("beige", (225, 205, 170)),
    ],
)
def test_unsaturated_colours_have_names(word: str, colour: tuple[int, int, int]) -> None:
    assert colours.words(painted(*colour), EVERYWHERE) == [[word]]


def test_only_the_hole_is_named_and_an_empty_hole_has_no_colour() -> None:
    picture = torch.cat((painted(200, 30, 30), painted(50, 90, 190)), 3)
    right = torch.zeros(1, 1, 4, 8, dtype=torch.bool)
    assert colours.words(picture, right) == [[]]
    right[..., 4:] = True
    assert colours.words(picture, right) == [["blue"]]
    assert colours.words(picture, ~right | right) == [["red", "blue"]]


@given(seed=st.integers(0, 2**31), kind=st.sampled_from(masks.KINDS))
@tuned(deadline=None, max_examples=25)
def test_holes_of_every_kind_are_neither_empty_nor_complete(seed: int, kind: str) -> None:
    shares = tuple(float(name == kind) for name in masks.KINDS)
    covered = masks.mixture(4, 64, seeded(seed), shares).float().mean((1, 2, 3))
    assert (covered > 0).all()
    assert kind in ("full", "strokes") or (covered < 1).all()


def test_the_same_seed_gives_the_same_holes() -> None:
    assert torch.equal(masks.mixture(16, 48, seeded(3)), masks.mixture(16, 48, seeded(3)))
    assert not torch.equal(masks.mixture(16, 48, seeded(3)), masks.mixture(16, 48, seeded(4)))


def test_the_latent_mask_is_the_one_that_diffusers_makes() -> None:
    holes = masks.mixture(8, 64, seeded())
    wanted = torch.nn.functional.interpolate(holes.float(), size=(8, 8))
    assert torch.equal(masks.to_latents(holes), wanted)


def test_a_pasted_object_lies_where_its_mask_says_and_a_hole_covers_it() -> None:
    tiles = torch.zeros(6, 4, 16, 16, dtype=torch.uint8)
    tiles[:, 0], tiles[:, 3] = 255, 255
    ground = torch.zeros(6, 3, 64, 64)
    pictures, shapes = scenes.paste(ground, tiles, seeded())
    assert (pictures[:, :1][shapes] > 0.4).all()
    assert (pictures[:, 1:] == 0).all()
    inner = ~(torch.nn.functional.max_pool2d((~shapes).float(), 3, 1, 1) > 0)
    assert inner.flatten(1).any(1).all()
    assert (scenes.holes_around(shapes, seeded()) | ~shapes).all()


def test_boxes_of_shapes() -> None:
    shape = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    shape[..., 2:5, 1:7] = True
    assert scenes.bounding_boxes(shape).tolist() == [[1 / 8, 2 / 8, 7 / 8, 5 / 8]]


def test_phrases() -> None:
    assert phrases.article("orange") == "an orange"
    assert phrases.article("red dress") == "a red dress"
    assert phrases.article("pair of shoes") == "pair of shoes"
    assert nouns(("rose", "flower", "red", "person")) == ("rose", "flower")


def test_an_object_phrase_contains_the_noun_and_the_colour() -> None:
    draw = np.random.default_rng(0)
    made = [phrases.object_phrase(("rose", "flower"), ["red"], draw) for _ in range(50)]
    assert all("rose" in phrase or "flower" in phrase for phrase in made)
    assert 30 < sum("red" in phrase for phrase in made) < 50


def test_a_region_phrase_uses_labels_that_fit_the_height_of_the_hole() -> None:
    record = PhotoRecord("a photo with sky and grass", ("sky", "grass"), "us", "CC0")
    draw = np.random.default_rng(0)
    above, below = ({phrases.region_phrase(record, y, [], draw) for _ in range(40)} for y in (0.2, 0.8))
    assert above == {"sky", record.caption}
    assert below == {"grass", record.caption}


def test_the_vocabulary_joins_frequent_pairs_and_encodes_any_text(tmp_path: Path) -> None:
    texts = ["a red flower"] * 9 + ["a flow of red water"]
    count = tokenizer.write(tmp_path, texts, vocabulary=600, length=16)
    words = tokenizer.load(tmp_path)
    assert len(words) == count <= 600
    assert words.tokenize("a RED flower") == ["a</w>", "red</w>", "flower</w>"]
    ids = tokenizer.Tokens(words)(["a red flower", "naïve 花 12!", ""])
    assert [len(row) for row in ids] == [16] * 3
    assert ids[2] == [count - 2] + [count - 1] * 15
    assert words.decode(ids[1], skip_special_tokens=True).replace(" ", "") == "naïve花12!"


def test_the_vocabulary_depends_on_the_texts_alone() -> None:
    texts = phrases.corpus([PhotoRecord("a red rose", ("rose",), "us", "CC0")])
    assert tokenizer.merges(texts, 60) == tokenizer.merges(list(reversed(texts)), 60)


@pytest.mark.parametrize("shape", [(2, 48, 300), (2, 300, 48), (3, 32, 32)])
def test_muon_steps_have_equal_size_in_every_direction(shape: tuple[int, int, int]) -> None:
    """Singular values from 1 to 30 all come out near 1, and the directions stay what they were."""
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=seeded()), full_matrices=False)
    sizes = torch.linspace(1, 30, min(shape[1:]))
    made = muon.orthogonalised(left @ torch.diag(sizes) @ right)
    found = torch.linalg.svdvals(made)
    assert found.min() > 0.5
    assert found.max() < 1.3
    along = (left.mT @ made @ right.mT).diagonal(dim1=1, dim2=2)
    assert along.min() > 0.5, "the sign and place of every direction are kept"


def test_the_rate_rises_holds_and_falls_to_nothing() -> None:
    schedule = Schedule(steps=100, warm_up=9, hold=0.5, decay="linear")
    assert rate_factor(schedule, Progress(0)) == pytest.approx(0.1)
    assert rate_factor(schedule, Progress(50)) == 1
    assert rate_factor(schedule, Progress(75)) == pytest.approx(0.5)
    assert rate_factor(schedule, Progress(100)) == 0


def test_a_schedule_in_minutes_counts_time_of_all_runs() -> None:
    schedule = Schedule(steps=1_000_000, minutes=10)
    assert share_done(schedule, Progress(5, 300)) == pytest.approx(0.5)
    assert share_done(schedule, Progress(5, 601)) == 1


def test_averaged_weights_follow_and_can_be_swapped_in() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage({"net": net}, 0.9)
    with torch.no_grad():
        before = net.weight.clone()
        net.weight += 1
    average.update()
    assert average.weights["net.weight"].item() == pytest.approx(before.item() + 0.9, abs=1e-6)  # float32 near 1
    with average.swapped():
        assert net.weight.item() == pytest.approx(before.item() + 0.9, abs=1e-6)  # float32 near 1
    assert net.weight.item() == pytest.approx(before.item() + 1)


@given(signal=st.floats(0.001, 0.999))
def test_the_loss_is_bounded_where_noise_is_low_and_whole_where_it_is_high(signal: float) -> None:
    snr = signal / (1 - signal)
    found = weight(torch.tensor([signal], dtype=torch.float64), 5.0).item()
    assert found == pytest.approx(1.0 if snr <= 5 else 6 / (snr + 1))


def test_losses_are_zero_for_equal_pictures() -> None:
    picture = torch.rand(2, 3, 16, 16, generator=seeded())
    assert losses.gradients(picture, picture) == 0
    assert losses.low_pass(picture, picture) == 0
    assert losses.gradients(picture, picture + 0.1) == pytest.approx(0, abs=1e-6)
    assert losses.low_pass(picture, picture + 0.1) == pytest.approx(0.1, abs=1e-6)


def test_each_loss_has_its_share_of_the_gradient_whatever_its_scale() -> None:
    seen = torch.zeros(2, 3, 4, 4, requires_grad=True)
    first, other = seen[:, 0].sum(), 1e6 * seen[:, 1].sum()
    whole = losses.balanced_gradient(seen, first, [(other, 0.5)])
    torch.testing.assert_close(whole, losses.balanced_gradient(seen, first, [(other / 1e9, 0.5)]))
    assert (whole[:, 1].norm() / whole[:, 0].norm()).item() == pytest.approx(0.5)
    assert torch.equal(losses.balanced_gradient(seen, first, []), torch.autograd.grad(first, seen)[0])


def test_the_feature_distance_does_not_depend_on_contrast() -> None:
    maps = [torch.randn(2, 8, 4, 4, generator=seeded(1)), torch.randn(2, 16, 2, 2, generator=seeded(2))]
    assert losses.feature_distance(maps, [3 * x for x in maps]) == pytest.approx(0, abs=1e-6)
    assert losses.feature_distance(maps, [-x for x in maps]) == pytest.approx(4, abs=1e-4)


def test_critics_learn_to_separate_two_kinds_of_features() -> None:
    torch.manual_seed(0)
    real, made = ([torch.randn(16, 8, 4, 4, generator=seeded(k)) + k] for k in (0, 1))
    heads = critics.FeatureCritics(real, width=8)
    rule = torch.optim.Adam(heads.parameters(), 1e-2)
    before = critics.critic_loss(heads(real), heads(made)).item()
    for _ in range(40):
        rule.zero_grad()
        critics.critic_loss(heads(real), heads(made)).backward()
        rule.step()
    assert critics.critic_loss(heads(real), heads(made)).item() < 0.6 * before
    assert critics.generator_loss(heads(real)) < critics.generator_loss(heads(made)), (
        "photos have the lower generator loss"
    )


def numbered_scenes() -> ScenePool:
    """A pool of 8 places filled 4 at a time; a scene's token ids are its number."""
    made = iter(range(0, 10_000, 4))

    def four(n: int) -> EncodedScenes:
        ids = torch.arange(n).view(-1, 1) + next(made)
        latents = ids.view(-1, 1, 1, 1).expand(-1, 2, 3, 3) / 8
        return EncodedScenes(latents, -latents, latents[:, :1] > 0, ids)

    return ScenePool(four, capacity=8, chunk=4)


def test_a_pool_returns_complete_scenes_and_keeps_the_latest() -> None:
    pool = numbered_scenes()
    draw = seeded()
    assert len(pool.draw(5, fresh=2, generator=draw)) == 5
    assert len(pool) == 4
    for _ in range(20):
        drawn = pool.draw(64, fresh=2, generator=draw)
    assert len(pool) == 8
    numbers = drawn.ids[:, 0]
    assert set(numbers.tolist()) == set(range(32, 40)), "21 draws owe 42 scenes, of which 10 chunks are made"
    torch.testing.assert_close(drawn.clean[:, 0, 0, 0], numbers / 8)
    torch.testing.assert_close(drawn.known, -drawn.clean)
    assert drawn.clean.dtype == drawn.hole.dtype == torch.float32


def test_a_pool_makes_the_requested_number_of_scenes() -> None:
    made = []

    def counted(n: int) -> EncodedScenes:
        made.append(n)
        return EncodedScenes(*(torch.zeros(n, 1, 1, 1) for _ in range(3)), torch.zeros(n, 1, dtype=torch.int64))

    pool = ScenePool(counted, capacity=100, chunk=10)
    for _ in range(50):
        pool.draw(16, fresh=2, generator=seeded())
    assert sum(made) == pytest.approx(100, abs=10)


def test_latents_of_deviation_one_have_a_small_loss() -> None:
    latents = torch.randn(8, 4, 16, 16, generator=seeded())
    assert losses.moments(latents) < 0.01 < losses.moments(latents * 2)


def test_an_initialised_autoencoder_has_latents_of_mean_0_and_deviation_1() -> None:
    torch.manual_seed(0)
    net = networks.autoencoder(config.Autoencoder(width=16, encoder_blocks=(0, 0, 1, 1), decoder_blocks=(1, 1, 0, 0)))
    pictures = torch.rand(4, 3, 32, 32, generator=seeded()) * 2 - 1
    networks.initialise(net, pictures)
    with torch.no_grad():
        latents = net.encode(pictures).latents
        made = net.decode(latents).sample
    assert latents.std((0, 2, 3)).tolist() == pytest.approx([1] * 4, abs=1e-3)
    assert latents.mean((0, 2, 3)).tolist() == pytest.approx([0] * 4, abs=1e-3)
    assert made.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-3)


def test_a_cut_that_covers_nearly_the_whole_photo_is_rejected() -> None:
    everything, nothing, disc = np.ones((40, 40), bool), np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    disc[10:30, 10:30] = True
    assert [is_plausible_cut(mask) for mask in (everything, nothing, disc)] == [False, False, True]


def test_every_evaluation_prompt_can_be_scored() -> None:
    for entry in EVALUATION_PROMPTS:
        assert not entry.colour or entry.colour in REFERENCE_COLOURS
        assert entry.colour or entry.classes
        assert entry.colour in entry.prompt


def test_a_hue_counts_as_improved_when_it_is_nearer_to_the_word() -> None:
    hole = np.ones((2, 2), bool)
    seen = ((200, 30, 30), (230, 120, 20), (70, 150, 50))
    red, orange, green = (mean_colour(np.full((2, 2, 3), colour, np.uint8), hole) for colour in seen)
    assert hue_error(red, "red") < 1
    assert hue_improved(orange, green, "red")
    assert not hue_improved(green, orange, "red")
    assert hue_improved(red, red, "red"), "the hole was red before"
    assert not hue_improved((red + orange) / 4, (red + orange) / 2, "red"), "it has lost colour"
    grey = mean_colour(np.full((2, 2, 3), 128, np.uint8), hole)
    assert hue_error(grey, "red") == 180


def test_a_missing_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the stage `autoencoder` first"):
        initial_weights.fill_averaged(tmp_path / "autoencoder.pt", {})


def test_the_command_reports_a_missing_stage_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["tokenizer", "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert command.main(["export", str(tmp_path / "out"), "--state", str(tmp_path)]) == 2
    assert "run the stage `tokenizer` first" in capsys.readouterr().err
