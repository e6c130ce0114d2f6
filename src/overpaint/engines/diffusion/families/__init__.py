"""Families of diffusion models: one object each, found by name (see `overpaint.models.families`)."""

from __future__ import annotations

from .base import Family, TextEncoding

__all__ = ["Family", "TextEncoding"]
