"""Types that several values of a request share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from overpaint.errors import RequestError

Area = Literal["masked", "whole"]
Dialect = Literal["native", "diffusers", "webui"]
Preset = Literal["fast"]
PaintsFrom = Literal["surroundings", "prompt", "settings"]

Sigma = Annotated[float, Field(ge=0, le=1024)]
"""Of a Gaussian, in pixels."""

Fraction = Annotated[float, Field(ge=0, le=1)]

MOST_PROMPT = 32_000  # characters, as OpenAI's edits take


def _not_blank(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise RequestError("must not be blank; leave it out instead")
    return value


Name = Annotated[str, Field(max_length=1024), AfterValidator(_not_blank)]
