"""Text for the diffusion networks: equal to transformers and diffusers where they do the same, by hand where not."""

from __future__ import annotations

import itertools
import threading
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save_file

from overpaint.engines.diffusion.clip import ClipConfig, ClipText
from overpaint.engines.diffusion.clip_tokens import clip_tokenizer
from overpaint.engines.diffusion.families.unet import SD1, SD2, SDXL
from overpaint.engines.diffusion.inversion import Inversion, load_inversion
from overpaint.engines.diffusion.text import ClipEncoders, emphasised
from overpaint.engines.diffusion.text_plan import TextSettings, plan_texts, read
from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.models import ClipVocabulary, ModelError
from overpaint.prompt import PromptTokenizer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Bytes and a few words."""
    from tokenizers.pre_tokenizers import ByteLevel

    symbols = sorted(ByteLevel.alphabet())
    tokens = {symbol: i for i, symbol in enumerate(itertools.chain(symbols, (s + "</w>" for s in symbols)))}
    merges = ["c a", "ca t</w>", "d o", "do g</w>"]
    for merge in merges:
        tokens[merge.replace(" ", "")] = len(tokens)
    tokens["<|startoftext|>"] = len(tokens)
    tokens["<|endoftext|>"] = len(tokens)
    return tokens, [tuple(merge.split()) for merge in merges]


def tokenizer_of(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """transformers' own."""
    tokens, merges = vocabulary()
    tokenizer = CLIPTokenizer(vocab=tokens, merges=merges, pad_token=pad)
    tokenizer.model_max_length = 77
    return tokenizer


def tokens_of(pad: str = "<|endoftext|>") -> PromptTokenizer:
    tokens, merges = vocabulary()
    return clip_tokenizer(ClipVocabulary(tokens, tuple(merges), Path("vocab.json")), pad)


def own(model) -> ClipText:
    """The same weights in our own encoder."""
    weights = {name.removeprefix("text_model."): one for name, one in model.state_dict().items()}
    encoder = ClipText(ClipConfig.read(model.config.to_dict()), projection="text_projection.weight" in weights)
    encoder.load_state_dict(weights)
    return encoder.eval()


TOKENIZER = tokenizer_of()
LAYERS = 4


def config(width: int = 32, projection: int = 24) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(TOKENIZER), hidden_size=width, intermediate_size=48, num_hidden_layers=LAYERS,
        num_attention_heads=4, max_position_embeddings=77, projection_dim=projection,
        bos_token_id=TOKENIZER.bos_token_id, eos_token_id=TOKENIZER.eos_token_id, pad_token_id=TOKENIZER.pad_token_id,
    )  # fmt: skip


def randomised(model):
    """Weights large enough for states that differ from token to token and a mean that is not 0."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
            if "norm" in name:
                parameter.add_(1)
    return model.eval()


class Clip(CLIPTextModel):
    """With the attribute that diffusers 0.42 reads for clip_skip, and that transformers 5.6 took away."""

    @property
    def text_model(self):
        return self


@pytest.fixture(scope="module")
def clip():
    return randomised(Clip(config()))


@pytest.fixture(scope="module")
def sd1(clip) -> ClipEncoders:
    return ClipEncoders.of(SD1, [own(clip)], [tokens_of()], "a digest")


@pytest.fixture(scope="module")
def big():
    return randomised(CLIPTextModelWithProjection(config(40)))


@pytest.fixture(scope="module")
def sdxl(clip, big) -> ClipEncoders:
    return ClipEncoders.of(SDXL, [own(clip), own(big)], [tokens_of(), tokens_of("!")], "a digest", zero_negative=True)


def both(side: ClipEncoders, prompt: str, negative: str | None = None, inversions=(), **settings):
    """The conditioning of a prompt and of a negative one."""
    chosen = TextSettings(**settings)
    opposite = None if negative is None else read(negative, chosen)
    positive, negated = plan_texts(side, read(prompt, chosen), opposite, chosen, inversions)
    return side.encode(positive), side.encode(negated)


def context(side: ClipEncoders, prompt: str, **settings) -> torch.Tensor:
    return both(side, prompt, **settings)[0].context


def plain(model, text: str, pad: str = "<|endoftext|>"):
    """What transformers makes of a text."""
    given = tokenizer_of(pad)(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return model(given.input_ids, output_hidden_states=True)


LONG = "a cat, the dog and 12 more: " * 6


# --- tokens and encoder, against transformers' own


@given(st.one_of(st.text(), st.text("Aa cCdtg'sŁé12,.<|>endofxtr \t\n\u3000\u0130")))
@example("a cat's DOG isn't 12 cats' <|endoftext|>\r\n e\u0301\u0345")
def test_tokens_are_transformers_own(text):
    there = tokens_of()
    clean = text.encode("utf-8", "replace").decode()
    assert there.tokenise(text) == TOKENIZER(clean, add_special_tokens=False, split_special_tokens=True).input_ids
    assert (there.bos, there.eos, there.pad) == (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id)


def test_what_pads_is_a_token_of_the_vocabulary():
    assert tokens_of("!").pad == tokenizer_of("!").pad_token_id != tokens_of().pad


def test_merges_of_unknown_tokens_are_refused():
    tokens = {"a": 0, "b": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    with pytest.raises(ModelError, match=r"the vocabulary here/vocab.json is damaged.*ab"):
        clip_tokenizer(ClipVocabulary(tokens, (("a", "b"),), Path("here/vocab.json")))


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("eos", [2, TOKENIZER.eos_token_id])
@pytest.mark.parametrize("act", ["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_encoder_is_transformers_own(projection, eos, act, dtype):
    sizes = config(40).to_dict() | {"hidden_act": act, "layer_norm_eps": 1e-3, "eos_token_id": eos}
    cls = CLIPTextModelWithProjection if projection else CLIPTextModel
    model = randomised(cls(CLIPTextConfig(**sizes))).to(dtype)
    ids = torch.randint(0, TOKENIZER.eos_token_id, (3, 20), generator=torch.Generator().manual_seed(0))
    for row, place in ((0, 7), (1, 3), (1, 9), (2, 19)):
        ids[row, place] = TOKENIZER.eos_token_id
    with torch.no_grad():
        found, expected = own(model).to(dtype)(ids), model(ids, output_hidden_states=True)
    assert len(found.hidden_states) == len(expected.hidden_states) == LAYERS + 1
    pairs = [*zip(found.hidden_states, expected.hidden_states, strict=True)]
    pairs.append((found.last_hidden_state, expected.last_hidden_state))
    if projection:
        pairs.append((found.text_embeds, expected.text_embeds))
    else:
        assert found.text_embeds is None
    for one, other in pairs:
        if act != "gelu_new":
            assert torch.equal(one, other)
        elif dtype == torch.float32:  # transformers rounds after each of its operations
            torch.testing.assert_close(one, other)


def test_a_config_that_says_little_means_what_transformers_takes_it_for():
    given = CLIPTextConfig().to_dict()
    assert dict(ClipConfig.read({})) == {name: given[name] for name in ClipConfig.model_fields}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"hidden_act": "tanh"}, "hidden_act must be 'quick_gelu', .*, not 'tanh'"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps must be .*, not nan"),
        ({"num_hidden_layers": 10**9}, "between 1 and 1000"),
        ({"hidden_size": 30, "num_attention_heads": 4}, "4 heads can't share 30"),
        ({"num_hidden_layers": -1}, "num_hidden_layers must be .*, not -1"),
        ({"hidden_size": "wide"}, "hidden_size must be .*, not 'wide'"),
        ({"vocab_size": 1.5}, "vocab_size must be .*, not 1.5"),
        ({"num_attention_heads": True}, "num_attention_heads must be .*, not True"),
    ],
)
def test_a_config_that_means_nothing_is_refused(said, message):
    with pytest.raises(ModelError, match=message):
        ClipConfig.read(said)


def test_a_row_longer_than_the_places_is_refused():
    with pytest.raises(ValueError, match="78 tokens for a text encoder of 77"):
        ClipText(ClipConfig(vocab_size=3, hidden_size=8, intermediate_size=8, num_hidden_layers=1))(
            torch.zeros(1, 78, dtype=torch.long)
        )


# --- texts


@pytest.mark.parametrize("text", ["", "a cat, a dog", "Ünïcode 你好"])
def test_a_prompt_without_weights_is_transformers_own(sd1, clip, text):
    assert torch.equal(context(sd1, text), plain(clip, text).last_hidden_state)


@pytest.mark.parametrize("skip", [1, 2, 3, 4])
def test_clip_skip_counts_hidden_states_from_the_last(sd1, clip, skip):
    expected = clip.final_layer_norm(plain(clip, "a cat").hidden_states[-skip])
    assert torch.equal(context(sd1, "a cat", clip_skip=skip), expected)


@pytest.mark.parametrize("skip", [None, 1, 3])
@pytest.mark.parametrize("text", ["a (cat:1.3) BREAK [dog]", LONG], ids=["brackets", "long"])
def test_the_dialect_of_diffusers_is_its_pipeline(sd1, clip, text, skip):
    pipeline = StableDiffusionPipeline(
        vae=None, text_encoder=clip, tokenizer=TOKENIZER, unet=None, scheduler=None, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    expected = pipeline.encode_prompt(text, "cpu", 1, True, "a dog", clip_skip=skip)
    found = both(sd1, text, "a dog", plain=True, clip_skip=skip and skip + 1)
    assert torch.equal(found[0].context, expected[0])
    assert torch.equal(found[1].context, expected[1])


@pytest.mark.parametrize("skip", [None, 1])
@pytest.mark.parametrize("negative", [None, "", "a dog"], ids=["none", "empty", "said"])
def test_the_dialect_of_diffusers_is_its_sdxl_pipeline(sdxl, clip, big, negative, skip):
    pipeline = StableDiffusionXLPipeline(
        vae=None, text_encoder=clip, text_encoder_2=big, tokenizer=TOKENIZER, tokenizer_2=tokenizer_of("!"), unet=None,
        scheduler=None, add_watermarker=False,
    )  # fmt: skip
    expected = pipeline.encode_prompt("a cat", device="cpu", negative_prompt=negative, clip_skip=skip)
    found = both(sdxl, "a cat", negative, plain=True, clip_skip=skip and skip + 2)
    ours = (found[0].context, found[1].context, found[0].tensors["pooled"], found[1].tensors["pooled"])
    for one, other in zip(ours, expected, strict=True):
        assert torch.equal(one, other)


def test_sdxl_joins_penultimate_states_and_pools_the_first_chunk(sdxl, clip, big):
    found, _ = both(sdxl, "a (cat:1.5) BREAK a dog")
    assert found.context.shape == (1, 154, 72)
    assert torch.equal(found.tensors["pooled"], plain(big, "a cat", "!").text_embeds)
    second = torch.cat([plain(clip, "a dog").hidden_states[-2], plain(big, "a dog", "!").hidden_states[-2]], -1)
    assert torch.equal(found.context[:, 77:], second)
    for skip, same in ((1, True), (2, True), (3, False)):
        assert torch.equal(context(sdxl, "a (cat:1.5) BREAK a dog", clip_skip=skip), found.context) is same


def test_an_empty_negative_prompt_is_zeros_for_sdxl_alone(sdxl, sd1, clip):
    for negative in (None, "", "  # nothing"):
        found = both(sdxl, "a cat BREAK a dog", negative)[1]
        assert found.context.shape == (1, 154, 72)
        assert found.tensors["pooled"].shape == (1, 24)
        assert not found.context.any()
        assert not found.tensors["pooled"].any()
    assert torch.equal(both(sd1, "a cat", None)[1].context, plain(clip, "").last_hidden_state)
    assert both(sdxl, "", "")[0].context.any()
    trained_otherwise = ClipEncoders.of(
        SDXL, [e.model for e in sdxl.parts], [tokens_of(), tokens_of("!")], "", zero_negative=False
    )
    assert both(trained_otherwise, "a cat")[1].context.any()


def test_sd2_pads_with_its_own_id(clip):
    side = ClipEncoders.of(SD2, [own(clip)], [tokens_of("!")], "a digest")
    assert torch.equal(context(side, "a cat"), plain(clip, "a cat", "!").last_hidden_state)
    assert not torch.equal(context(side, "a cat"), plain(clip, "a cat").last_hidden_state)


# --- weights, by hand: "a cat, dog" is 4 tokens at places 1 to 4


def by_hand(states: torch.Tensor, weights: dict[int, float], restore: bool) -> torch.Tensor:
    rows = [[value * weights.get(place, 1.0) for value in row] for place, row in enumerate(states[0].tolist())]
    before = sum(map(sum, states[0].tolist()))
    after = sum(map(sum, rows))
    return torch.tensor([rows]) * (before / after if restore else 1.0)


@pytest.mark.parametrize("emphasis", ["original", "no_norm"])
def test_weights_multiply_states_and_the_mean_comes_back(sd1, clip, emphasis):
    states = plain(clip, "a cat, dog").last_hidden_state
    expected = by_hand(states, {2: 1.3, 4: 1 / 1.1}, restore=emphasis == "original")
    found = context(sd1, "a (cat:1.3), [dog]", emphasis=emphasis)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, states, atol=1e-3)
    if emphasis == "original":
        assert found.mean().item() == pytest.approx(states.mean().item(), rel=1e-4)


def test_emphasis_may_be_ignored_or_taken_for_characters(sd1, clip):
    text = r"a (cat:1.3), [dog] \(BREAK <lora:x> # comment"
    assert torch.equal(context(sd1, text, emphasis="ignore")[:, :77], plain(clip, "a cat, dog (").last_hidden_state)
    assert torch.equal(
        context(sd1, text, emphasis="none"), plain(clip, r"a (cat:1.3), [dog] \(BREAK").last_hidden_state
    )


def test_each_chunk_and_each_encoder_restores_its_own_mean(sd1, sdxl):
    alone = context(sd1, "a (cat:1.4)")
    assert torch.equal(context(sd1, "a (cat:1.4) BREAK (dog:0.2)")[:, :77], alone)
    joined = context(sdxl, "a (cat:1.4)")
    for part, encoder in zip(joined.split([32, 40], dim=-1), sdxl.parts, strict=True):
        with torch.no_grad():
            states = encoder.model(
                torch.tensor([plan_texts(sdxl, read("a cat"))[0].ids[sdxl.parts.index(encoder)][0]])
            ).hidden_states[-2]
        assert torch.allclose(part, by_hand(states, {2: 1.4}, restore=True), rtol=1e-4, atol=1e-5)


def test_a_mean_that_cannot_come_back_is_left():
    states = torch.ones(1, 2, 3)
    assert torch.equal(emphasised(states, (1.0, -1.0), "original"), torch.tensor([[[1.0] * 3, [-1.0] * 3]]))


def test_half_precision_stays_half_precision():
    states = torch.rand(1, 2, 3).to(torch.bfloat16)
    assert emphasised(states, (1.0, 1.5), "original").dtype == torch.bfloat16


# --- length


def test_both_texts_are_equally_long(sd1, clip):
    for prompt, negative in ((LONG * 2, "a dog"), ("a dog", LONG * 2)):
        found = both(sd1, prompt, negative)
        short = found[0 if prompt == "a dog" else 1].context
        assert found[0].context.shape == found[1].context.shape
        assert short.shape[1] > 154
        assert torch.equal(short[:, :77], plain(clip, "a dog").last_hidden_state)
        assert torch.equal(short[:, -77:], plain(clip, "").last_hidden_state)


def test_a_mark_in_a_prompt_is_text(sd1):
    job = plan_texts(sd1, read("a <|endoftext|> cat <|startoftext|>"))[0]
    assert job.ids[0][0].count(TOKENIZER.bos_token_id) == 1
    assert job.ids[0][0].index(TOKENIZER.eos_token_id) == len(job.chunks[0][0].tokens) + 1


@pytest.mark.parametrize("text", ["\ud800 cat", "\0", "\u202e\ufeff", "\U0010ffff" * 50])
def test_any_character_has_a_token(sd1, text):
    assert torch.isfinite(context(sd1, text)).all()


def test_clip_skip_beyond_the_layers_is_refused(sd1):
    for plain_text in (False, True):
        with pytest.raises(RequestError, match=r"clip_skip is 5, but the text encoder has 4 layers.*at most 4"):
            both(sd1, "a cat", clip_skip=5, plain=plain_text)


# --- keys


def test_equal_keys_mean_equal_states_and_unequal_ones_do_not(sd1):
    def key(text: str, inversions=(), **settings) -> str:
        chosen = TextSettings(**settings)
        return plan_texts(sd1, read(text, chosen), None, chosen, inversions)[0].key

    one = key("a (cat:1.3)")
    assert key("a  (CAT : 1.3) # so") == one
    assert key("a cat") == key("a cat", emphasis="no_norm") == key("a (cat:1.3)", emphasis="ignore")
    toy = Inversion("cat", {"": torch.ones(1, 32)})
    toys = [toy, Inversion("cat", {"": torch.zeros(1, 32)})]
    others = [
        key("a (cat:1.31)"), key("a cat"), key("a (dog:1.3)"), key("a (cat:1.3) BREAK b"),
        key("a (cat:1.3)", clip_skip=2), key("a (cat:1.3)", emphasis="no_norm"),
        *(key("a (cat:1.3)", [toy]) for toy in toys),
    ]  # fmt: skip
    assert len({one, *others}) == len(others) + 1
    assert key("a (dog:1.3)", [toy]) == key("a (dog:1.3)")
    other = ClipEncoders.of(SD1, [sd1.parts[0].model], [tokens_of()], "another digest")
    assert plan_texts(other, read("a cat"))[0].key != key("a cat")
    with pytest.raises(ValueError, match="planned for other encoders"):
        other.encode(plan_texts(sd1, read("a cat"))[0])


def test_the_key_is_the_same_in_every_process(sd1):
    expected = "21375fbedfdea347a4036a8c7b31305c8b73f7bdca8a42ce623af899b1f55aa1"
    assert plan_texts(sd1, read("a (cat:1.3)"))[0].key == expected


# --- textual inversions


def spliced(model, text: str, rows: dict[int, torch.Tensor]) -> torch.Tensor:
    """The last states with a table that has further rows, and ids that point to them."""
    ids = TOKENIZER(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    table = model.embeddings.token_embedding
    for number, (place, row) in enumerate(rows.items()):
        ids[0, place] = len(TOKENIZER) + number
        table = torch.nn.Embedding.from_pretrained(torch.cat([table.weight.detach(), row[None]]))
    old, model.embeddings.token_embedding = model.embeddings.token_embedding, table
    try:
        with torch.no_grad():
            return model(ids).last_hidden_state
    finally:
        model.embeddings.token_embedding = old


def test_vectors_stand_in_for_a_word_and_leave_nothing_behind(sd1, clip):
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    table = sd1.parts[0].model.embeddings.token_embedding
    before = table.weight.clone()
    unaware = context(sd1, "a my-toy, dog")
    found, _ = both(sd1, "a (My-Toy:1.0), dog", None, [Inversion("my-toy", {"": vectors})])
    assert torch.equal(found.context, spliced(clip, "a c d, dog", {2: vectors[0], 3: vectors[1]}))
    assert torch.equal(context(sd1, "a my-toy, dog"), unaware)
    assert torch.equal(table.weight, before)
    assert not table._forward_hooks


def test_another_threads_call_does_not_see_the_vectors(sd1, clip):
    toy = [Inversion("toy", {"": torch.ones(1, 32)})]
    expected, other = both(sd1, "a toy", None, toy)[0].context, context(sd1, "a toy")
    wrong = []

    def work(inversions, right):
        wrong.extend(not torch.equal(both(sd1, "a toy", None, inversions)[0].context, right) for _ in range(20))

    threads = [threading.Thread(target=work, args=args) for args in ((toy, expected), ((), other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 40
    assert not any(wrong)


def test_sdxl_takes_vectors_for_both_encoders(sdxl):
    toy = Inversion("toy", {"clip_l": torch.ones(3, 32), "clip_g": torch.ones(3, 40)})
    with_toy, without = both(sdxl, "a toy", None, [toy])[0], both(sdxl, "a toy")[0]
    for part in (slice(0, 32), slice(32, 72)):
        assert not torch.equal(with_toy.context[..., part], without.context[..., part])
        assert torch.equal(with_toy.context[:, :2, part], without.context[:, :2, part])  # what comes before a word
    assert not torch.equal(with_toy.tensors["pooled"], without.tensors["pooled"])


def test_vectors_for_another_kind_of_model_are_refused_when_they_are_used(sd1, sdxl):
    wide, pair = (
        Inversion("toy", {"": torch.ones(1, 48)}),
        Inversion("toy", {s: torch.ones(1, 32) for s in ("clip_l", "clip_g")}),
    )
    both(sd1, "a cat", None, [wide])
    for side, toy, message in (
        (sd1, wide, "'toy' was made for another kind of model: its vectors are .*48.* takes .*32"),
        (sd1, pair, "another kind"),
        (sdxl, Inversion("toy", {"": torch.ones(1, 32)}), "another kind"),
        (sdxl, pair, "'clip_g': 40"),
    ):
        with pytest.raises(ModelError, match=message):
            both(side, "a toy", None, [toy])
    with pytest.raises(RequestError, match="two textual inversions have the name 'Toy'"):
        both(sd1, "a toy", None, [wide, Inversion("Toy", wide.vectors)])


ROWS = torch.arange(6, dtype=torch.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("held", "name", "slots"),
    [
        ({"emb_params": ROWS}, "file", [""]),
        ({"emb_params": ROWS.half()}, "file", [""]),
        ({"clip_l": ROWS, "clip_g": ROWS}, "file", ["clip_g", "clip_l"]),
        ({"<cat-toy>": ROWS}, "<cat-toy>", [""]),
        ({"<cat-toy>": ROWS[0]}, "<cat-toy>", [""]),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_files_of_textual_inversions(tmp_path, held, name, slots, suffix):
    path = tmp_path / f"file{suffix}"
    held = {key: rows.clone() for key, rows in held.items()}
    save_file(held, path) if suffix == ".safetensors" else torch.save(held, path)
    found = load_inversion(path, allow_pickle=True)
    assert found.name == name
    assert sorted(found.vectors) == slots
    expected = next(iter(held.values())).reshape(-1, 3).float()
    assert all(torch.equal(rows, expected) and rows.dtype == torch.float32 for rows in found.vectors.values())
    assert load_inversion(path, "other", allow_pickle=True).name == "other"


@pytest.mark.parametrize("kind", [dict, torch.nn.ParameterDict])
def test_the_dictionary_of_a1111(tmp_path, kind):
    held = {
        "string_to_token": {"*": 265}, "string_to_param": kind({"*": torch.nn.Parameter(ROWS)}), "name": "trained-as",
        "step": 500, "sd_checkpoint": "abc", "sd_checkpoint_name": "model",
    }  # fmt: skip
    torch.save(held, tmp_path / "style.pt")
    found = load_inversion(tmp_path / "style.pt", allow_pickle=True)
    assert found.name == "style"
    assert torch.equal(found.vectors[""], ROWS)
    assert not found.vectors[""].requires_grad
    with pytest.raises(ModelError, match=r"is a pickle"):
        load_inversion(tmp_path / "style.pt")


class Evil:
    def __reduce__(self):
        return print, ("code of a file ran",)


def test_a_pickle_runs_no_code(tmp_path, capsys):
    torch.save({"string_to_param": {"*": ROWS}, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match=r"print|code"):
        load_inversion(tmp_path / "evil.pt", allow_pickle=True)
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"a": ROWS, "b": ROWS}, "is not a textual inversion: it holds a, b"),
        ({"emb_params": ROWS.int()}, "where a textual inversion has"),
        ({"emb_params": ROWS[None]}, "where a textual inversion has"),
        ({"emb_params": ROWS * torch.inf}, "not finite"),
        ({"emb_params": torch.zeros(76, 3)}, r"has \[76\] vectors.*1 to 75"),
        ({"clip_l": ROWS, "clip_g": ROWS[:1]}, r"has \[1, 2\] vectors"),
    ],
)
def test_other_files_are_refused(tmp_path, held, message):
    save_file({key: rows.clone() for key, rows in held.items()}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=message):
        load_inversion(tmp_path / "x.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("data", [None, b"", b"rubbish" * 20], ids=["missing", "empty", "rubbish"])
def test_files_that_cannot_be_read_are_named(tmp_path, suffix, data):
    path = tmp_path / f"x{suffix}"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=rf"x\{suffix}"):
        load_inversion(path, allow_pickle=True)


def test_time_ids_are_height_first():
    found = SDXL.size_conditions(Size(640, 480), torch.device("cpu"))
    assert found["time_ids"].tolist() == [[480, 640, 0, 0, 480, 640]]
