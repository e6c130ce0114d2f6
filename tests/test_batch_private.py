"""In private mode no file of a batch, and no event, has a word of a prompt: also not where the prompt is at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from batches import BOX, Bench, photos
from overpaint import models
from overpaint.batch import Failed, reason_of
from overpaint.cli.run import run as command
from overpaint.engines import Canvas, EngineCard, Monitor, Painted
from overpaint.errors import EngineError, ModelError, OverpaintError, RequestError, concerning
from overpaint.ledger import Ledger
from stand_ins import StandIn
from test_diffusion_engine import checkpoint
from test_diffusion_models import save_lora

SECRET = "zebrasecret"


def quoting(canvas: Canvas, monitor: Monitor) -> Painted:
    raise RuntimeError(f"can't paint {'nothing' if canvas.sampling is None else canvas.sampling.prompt!r}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("made") / "model", 9)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    models.store_folder().mkdir(parents=True)
    return models.store_folder()


PROMPTS: dict[str, tuple[Any, str]] = {
    "a strength that is no number": (f"a dog <lora:{SECRET}:much>", "request-invalid in the prompt"),
    "too many parameters": (f"a dog <lora:a:1:1:1:{SECRET}>", "request-invalid in the prompt"),
    "a tag of an unknown kind": (f"a dog <locon:{SECRET}:1>", "request-invalid in the prompt"),
    "a tag without a name": (f"a {SECRET} <lora: :1>", "request-invalid in the prompt"),
    "a hypernetwork": (f"a dog <hypernet:{SECRET}:1>", "request-invalid in the prompt"),
    "a missing LoRA": (f"a dog <lora:{SECRET}:1>", "model-unknown in the prompt"),
    "another model as a LoRA": (f"a dog <lora:{SECRET}-vector:1>", "model-invalid in the prompt"),
    "a damaged LoRA": (f"a dog <lora:{SECRET}-damaged:1>", "model-invalid in the prompt"),
    "a LoRA of other sizes": (f"a dog <lora:{SECRET}-wide:1>", "lora-mismatch in the prompt"),
    "too many brackets": (f"a {'(' * 101}{SECRET}", "request-invalid in the prompt"),
    "too much weight": (f"a ({SECRET}:5000)", "request-invalid in the prompt"),
    "too many tokens": (f"{SECRET} " * 2500, "request-invalid in the prompt"),
    "too many characters": (f"{SECRET} " * 5000, "setting-invalid in the prompt"),
    "no text": ([SECRET], "setting-invalid in the prompt"),
    "half a surrogate pair": (f"{SECRET} \ud800", "request-invalid in the prompt"),
    "a textual inversion that can't be used": (f"a {SECRET}-nan dog", "model-invalid in the prompt"),
}


def tables(made: Path) -> list[tuple[dict[str, Any] | str, str]]:
    """Rows that fail, each with the reason that is kept."""
    learned = {
        "image": "p000.png",
        "box": BOX,
        "intent": "replace",
        "model": str(made),
        "engine": "diffusion",
        "steps": 1,
    }
    opposite = {"prompt": "a dog", "output": "n.png"}
    whole = "in the row"
    return [
        *(
            ({**learned, "prompt": prompt, "output": f"{number}.png"}, f"refused: {kept}")
            for number, (prompt, kept) in enumerate(PROMPTS.values())
        ),
        (
            {**learned, **opposite, "negative_prompt": f"<lora:{SECRET}:1>"},
            "refused: request-invalid in the negative prompt",
        ),
        (
            {**learned, **opposite, "negative_prompt": f"a {SECRET}-nan"},
            "refused: model-invalid in the negative prompt",
        ),
        (
            {**learned, **opposite, "negative_prompt": f"({SECRET}:9999)"},
            "refused: request-invalid in the negative prompt",
        ),
        (
            {**learned, "model": None, "intent": "recolor", "engine": "recolor", "prompt": SECRET},
            "refused: colour-missing in the prompt",
        ),
        ({"image": "p000.png", "box": BOX, "prompt": SECRET}, "failed: engine-failed (RuntimeError)"),
        ({"image": "p000.png", SECRET: 1}, f"refused: request-invalid {whole}"),
        (f'{{"image": "p000.png", "prompt": "a", "prompt": "{SECRET}"', f"refused: request-invalid {whole}"),
        (f'{{"{SECRET}": 1, "{SECRET}": 2}}', f"refused: request-invalid {whole}"),
        (json.dumps(SECRET), f"refused: request-invalid {whole}"),
    ]


def test_no_file_and_no_event_of_a_private_batch_has_a_word_of_a_prompt_that_failed(
    made: Path, home: Path, tmp_path: Path
) -> None:
    photos(tmp_path, 1)
    save_lora(home / f"{SECRET}-wide.safetensors", width=24)
    broken = save_lora(home / f"{SECRET}-damaged.safetensors")
    save_file({name: one * torch.nan for name, one in _held(broken).items()}, broken)
    save_file({"emb_params": torch.ones(2, 16)}, home / f"{SECRET}-vector.safetensors")
    save_file({"emb_params": torch.full((2, 16), torch.nan)}, home / f"{SECRET}-nan.safetensors")
    card = EngineCard(name="stand-in", title="fails", accepts=frozenset({"seed", "prompt"}), samples=True)
    bench = Bench(tmp_path, engine=lambda: StandIn(quoting, card))
    given = tables(made)
    # each row alone, as outputs that two rows would write end a batch before it begins
    for number, (table, kept) in enumerate(given):
        bench.run([table], private=True, rules={"record": "none"}, report=True, retries=0)
        (failed,) = bench.events_of(Failed)
        assert failed.reason == kept, (number, table)
        assert SECRET not in repr(bench.events)
        with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
            assert kept in {entry.note for entry in ledger.entries("failed")}
        for path in bench.out.rglob("*"):
            assert SECRET not in path.name
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), (path, table)


def _held(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RequestError("{field} is 0", field="steps"), "steps is 0"),
        (RequestError("a word", field="mask.parts[0].box"), "a word"),
        (ModelError("a word", field="prompt"), "refused: model-invalid in the prompt"),
        (RequestError("a word", field="negative_prompt"), "refused: request-invalid in the negative prompt"),
        (EngineError("a word"), "failed: engine-failed"),
        (EngineError("no room", code="memory-short"), "no room"),
    ],
)
def test_a_reason_is_kept_word_for_word_where_its_field_is_not_private(error: OverpaintError, kept: str) -> None:
    assert reason_of(error, private=True) == kept
    assert reason_of(error, private=False) == str(error)


def test_an_error_gets_the_field_of_the_setting_that_caused_it() -> None:
    with pytest.raises(ModelError) as caught, concerning("prompt"):
        raise ModelError("no such model", field="model", value="x")
    assert (caught.value.field, caught.value.value) == ("prompt", "x")


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("e.csv", f"a.png,a {SECRET},a {SECRET}\n", "its first line must name each field once"),
        ("e.yaml", f"- image: a.png\n- prompt: !{SECRET} x\n", "near line 2"),
        ("e.yaml", f"- prompt: *{SECRET}\n", "near line 1"),
        ("e.yaml", f'- prompt: "{SECRET}\n', "near line"),
        ("e.json", f'[{{"{SECRET}": 1, "{SECRET}": 2}}]', "a name is given twice"),
        ("e.json", f'[{{"prompt": "{SECRET}",}}]', "line 1"),
    ],
)
def test_an_error_of_the_list_itself_quotes_nothing_in_a_private_batch(
    name: str, text: str, kept: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert command(["batch", str(tmp_path / name), "-o", str(tmp_path / "out"), "--private"]) == 2
    shown = "".join(capfd.readouterr())
    assert kept in shown
    assert SECRET not in shown
