"""Masks by meaning: what a person points at, without weights."""

from __future__ import annotations

from .clicks import Click, select_clicked

__all__ = ["Click", "select_clicked"]
