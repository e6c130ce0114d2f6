"""Other tools' names of settings and values. They are used in suggestions only: a request does not accept them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from overpaint.errors import suggest

SETTING_ALIASES: Mapping[str, str] = {
    # AUTOMATIC1111 and Forge
    "denoising_strength": "strength",
    "denoise": "strength",
    "cfg_scale": "guidance_scale",
    "inpainting_fill": "masked_content",
    "inpaint_full_res": "area",
    "inpaint_full_res_padding": "padding",
    "inpainting_mask_invert": "mask.invert",
    "mask_blur": "feather",
    "mask_blur_x": "feather",
    "mask_blur_y": "feather",
    "sampler_name": "sampler",
    "sampler_index": "sampler",
    "schedule_type": "scheduler",
    "sd_model_checkpoint": "model",
    "clip_stop_at_last_layers": "clip_skip",
    "img2img_color_correction": "colour_match",
    "rescale_cfg": "guidance_rescale",
    # diffusers, IOPaint and ComfyUI
    "num_inference_steps": "steps",
    "ddim_steps": "steps",
    "sd_steps": "steps",
    "sd_strength": "strength",
    "sd_guidance_scale": "guidance_scale",
    "sd_sampler": "sampler",
    "sd_seed": "seed",
    "sd_match_histograms": "colour_match",
    "padding_mask_crop": "padding",
    "init_image": "image",
    "init_images": "image",
    "mask_image": "mask",
    "generator": "seed",
    "noise_seed": "seed",
    "cfg": "guidance_scale",
    "scale": "guidance_scale",
    "guidance": "guidance_scale",
    "ckpt_name": "model",
    "checkpoint": "model",
    "sampler_type": "sampler",
    # Stability, Black Forest Labs, Krita and everyday words
    "grow_mask": "grow",
    "mask_grow": "grow",
    "mask_expand": "grow",
    "dilate": "grow",
    "expand": "margins",
    "outpaint": "margins",
    "mask_feather": "feather",
    "blur": "feather",
    "negative": "negative_prompt",
    "text": "prompt",
    "inpaint_area": "area",
    "color_match": "colour_match",
    "color_correction": "colour_match",
    "colour_correction": "colour_match",
    "seam_correction": "seam",
    "deterministic": "exact",
    "max_reach": "reach_limit",
    "reach": "reach_limit",
    "mode": "intent",
    "task": "intent",
    "schedule": "scheduler",
}

VALUE_ALIASES: Mapping[str, Mapping[str, str]] = {
    "intent": {
        "erase": "remove",
        "delete": "remove",
        "inpaint": "replace",
        "object_replacement": "replace",
        "swap": "replace",
        "recolour": "recolor",
        "color_adjustment": "recolor",
        "colour_adjustment": "recolor",
        "background_replacement": "background",
        "texture_refinement": "refine",
        "enhance": "refine",
        "insert": "add",
        "outpaint": "expand",
        "uncrop": "expand",
    },
    "masked_content": {
        "0": "fill",
        "1": "original",
        "2": "latent_noise",
        "3": "latent_nothing",
        "noise": "latent_noise",
        "nothing": "latent_nothing",
        "empty": "latent_nothing",
        "none": "latent_nothing",
        "image": "original",
        "patch": "exemplar",
    },
    "area": {
        "only_masked": "masked",
        "crop": "masked",
        "whole_picture": "whole",
        "full": "whole",
        "whole_image": "whole",
    },
    "dialect": {"iopaint": "diffusers"},
    "alpha": {"max": "cover", "preserve": "keep"},
}


def suggest_setting(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for an unknown name of a setting, or an empty string."""
    return suggest(name, known, SETTING_ALIASES)


def suggest_value(setting: str, value: object, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for a value that the setting does not take, or an empty string."""
    return suggest(str(value), known, VALUE_ALIASES.get(setting, {})) if not isinstance(value, bool) else ""
