"""Other tools' names of settings and values. They are used in suggestions only: a request does not accept them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from overpaint.errors import suggest


def _by_alias(names: Mapping[str, str]) -> Mapping[str, str]:
    """{ours: "theirs theirs ..."} as {theirs: ours}."""
    return {alias: ours for ours, aliases in names.items() for alias in aliases.split()}


# AUTOMATIC1111 and Forge, diffusers, IOPaint and ComfyUI, Stability, Black Forest Labs, Krita, and everyday words
SETTING_ALIASES = _by_alias(
    {
        "area": "inpaint_full_res inpaint_area",
        "clip_skip": "clip_stop_at_last_layers",
        "colour_match": "img2img_color_correction sd_match_histograms color_match color_correction colour_correction",
        "controls": "controlnet control_image",
        "exact": "deterministic",
        "feather": "mask_blur mask_blur_x mask_blur_y mask_feather blur",
        "grow": "grow_mask mask_grow mask_expand dilate",
        "guidance_rescale": "rescale_cfg",
        "guidance_scale": "cfg_scale sd_guidance_scale cfg scale guidance",
        "image": "init_image init_images",
        "intent": "mode task",
        "margins": "expand outpaint",
        "mask": "mask_image",
        "mask.invert": "inpainting_mask_invert",
        "masked_content": "inpainting_fill",
        "model": "sd_model_checkpoint ckpt_name checkpoint",
        "negative_prompt": "negative",
        "padding": "inpaint_full_res_padding padding_mask_crop",
        "prompt": "text",
        "reach_limit": "max_reach reach",
        "sampler": "sampler_name sampler_index sd_sampler sampler_type",
        "scheduler": "schedule_type schedule",
        "seam": "seam_correction",
        "seed": "sd_seed generator noise_seed",
        "size": "resolution",
        "steps": "num_inference_steps ddim_steps sd_steps",
        "strength": "denoising_strength denoise sd_strength",
    }
)

VALUE_ALIASES: Mapping[str, Mapping[str, str]] = {
    field: _by_alias(names)
    for field, names in {
        "intent": {
            "remove": "erase delete",
            "replace": "inpaint object_replacement swap",
            "recolor": "recolour color_adjustment colour_adjustment",
            "background": "background_replacement",
            "refine": "texture_refinement enhance",
            "add": "insert",
            "expand": "outpaint uncrop",
        },
        "masked_content": {
            "fill": "0",
            "original": "1 image",
            "latent_noise": "2 noise",
            "latent_nothing": "3 nothing empty none",
            "exemplar": "patch",
        },
        "area": {"masked": "only_masked crop", "whole": "whole_picture full whole_image"},
        "dialect": {"diffusers": "iopaint"},
        "alpha": {"cover": "max", "keep": "preserve"},
    }.items()
}


def suggest_setting(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for an unknown name of a setting, or an empty string."""
    return suggest(name, known, SETTING_ALIASES)
