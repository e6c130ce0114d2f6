"""Small random networks of published layouts, as folders that transformers writes, and an ONNX file of a cut-out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ["the", "red", "blue", "car", "box", "a", "##s", "."]
"""Words that the small Grounding DINO reads."""


def clipseg_folder(folder: Path) -> Path:
    """CLIPSeg with 16 cells of 8 pixels, and a tokenizer of letters as its published folder has it."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    torch.manual_seed(1)
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
    text = {**vision, "vocab_size": 80, "max_position_embeddings": 24, "bos_token_id": 78, "eos_token_id": 79}
    config = CLIPSegConfig(
        text_config={**text, "pad_token_id": 79},
        vision_config={**vision, "image_size": 64, "patch_size": 8},
        projection_dim=24,
        reduce_dim=16,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
        conditional_layer=0,
    )
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = {one: number for number, one in enumerate([*letters, *(f"{one}</w>" for one in letters)])}
    vocabulary |= {"!": 77, "<|startoftext|>": 78, "<|endoftext|>": 79}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    form = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(form))
    return folder


def grounding_folder(folder: Path) -> Path:
    """Grounding DINO with a Swin of two stages, and a tokenizer of a few words."""
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(2)
    vocabulary = ["[PAD]", *(f"[unused{number}]" for number in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    text = {"vocab_size": 1200, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin",
            "embed_dim": 16,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "window_size": 4,
            "image_size": 64,
            "out_features": ["stage2", "stage3", "stage4"],
        },
        text_config={"model_type": "bert", **text, "intermediate_size": 48},
        num_queries=12,
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        max_text_len=32,
        num_feature_levels=4,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    vocabulary += [f"[more{number}]" for number in range(1200 - len(vocabulary))]
    vocabulary[vocabulary.index(".")] = "[dot]"
    vocabulary[1012] = "."  # the number that the network knows a full stop by
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    form = {"size": {"shortest_edge": 64, "longest_edge": 96}}
    (folder / "preprocessor_config.json").write_text(json.dumps(form))
    return folder


def segformer_folder(folder: Path, labels: list[str] | None = None) -> Path:
    """SegFormer with four small stages, for the classes of these labels: the 150 of ADE20K."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    from overpaint.select import class_names

    torch.manual_seed(3)
    names = labels or list(class_names())
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=24,
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    network = SegformerForSemanticSegmentation(config)
    network.decode_head.classifier.weight.data *= 40
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 64}}))
    return folder


def cutout_file(path: Path, *, logits: bool = True, half: bool = False, side: int | None = 32) -> Path:
    """An ONNX file of a BiRefNet's form, in which what is red is the subject."""
    import onnx
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    sides = [side, side] if side else ["height", "width"]
    weights = helper.make_tensor("weights", kind, [1, 3, 1, 1], [4.0, -4.0, 0.0])
    offset = helper.make_tensor("offset", kind, [1], [-6.0])
    steps = [helper.make_node("Conv", ["input_image", "weights", "offset"], ["raw"], kernel_shape=[1, 1])]
    steps.append(helper.make_node("Identity" if logits else "Sigmoid", ["raw"], ["output_image"]))
    graph = helper.make_graph(
        steps,
        "cutout",
        [helper.make_tensor_value_info("input_image", kind, [1, 3, *sides])],
        [helper.make_tensor_value_info("output_image", kind, [1, 1, *sides])],
        [weights, offset],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def loaded(kind: Any, folder: Path) -> Any:
    """transformers' own loading."""
    return kind.from_pretrained(folder, local_files_only=True).eval()
