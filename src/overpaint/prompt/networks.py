"""Network tags in a prompt: `<lora:name:te:unet:dyn>`, `<lyco:...>`, `<hypernet:name:strength>`.

The grammar is AUTOMATIC1111's, from its description: word characters, a colon, anything that is not `>`. Differences: a
tag of an unknown kind is an error, not dropped in silence, and `\\<` is a character that begins no tag.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast, get_args

from overpaint.errors import RequestError, did_you_mean

MOST_NETWORKS = 100
MOST_TAG = 500

NetworkKind = Literal["lora", "lyco", "hypernet"]

# Possessive (++), so that no prompt makes this look at a character more than twice.
_START = re.compile(r"\\.|<(\w++):", re.DOTALL)
_PARAMETERS = ("te", "unet", "dyn")


@dataclass(frozen=True, slots=True)
class Network:
    """An extra network in a prompt.

    Attributes:
        kind: "lyco" is an older name of "lora"; "hypernet" has one strength, held in te and unet alike.
        name: Its name in the model store.
        te: Strength in the text encoders; any finite number.
        unet: Strength in the U-Net; te's unless written.
        dyn: How many of the first ranks are used; None: all.
    """

    kind: NetworkKind
    name: str
    te: float = 1.0
    unet: float = 1.0
    dyn: int | None = None


def split_networks(text: str) -> tuple[str, tuple[Network, ...]]:
    """The prompt without its tags (nothing else is changed), and their networks, in order.

    A `<` without a `>` after it begins no tag. Linear in the length of the text.

    Raises:
        RequestError: A tag of an unknown kind, without a name, or with a value that is not a number; over 100 tags.
    """
    kept: list[str] = []
    networks: list[Network] = []
    done = look = 0
    while match := _START.search(text, look):
        look = match.end()
        if match[1] is None:
            continue
        end = text.find(">", look)
        if end < 0:
            break
        if end == look:  # `<lora:>`, which is text
            continue
        if len(networks) == MOST_NETWORKS:
            raise unreadable(f"{{field}} names more than {MOST_NETWORKS} networks", MOST_NETWORKS + 1, "use fewer")
        networks.append(_network(match[1], text[look:end], text[match.start() : end + 1]))
        kept.append(text[done : match.start()])
        done = look = end + 1
    return "".join([*kept, text[done:]]), tuple(networks)


def _network(kind: str, rest: str, tag: str) -> Network:
    """One tag's network. `rest` is what follows the kind and its colon."""
    if len(tag) > MOST_TAG:
        raise unreadable(f"a tag of {{field}} has {len(tag)} characters", tag[:40], f"it may have {MOST_TAG}")
    parts = rest.split(":")
    kinds = get_args(NetworkKind)
    if kind not in kinds:
        raise unreadable(
            f"a tag of {{field}} names a network of the unknown kind {kind!r}{did_you_mean(kind, kinds)}",
            tag,
            f"known are {', '.join(kinds)} (a plain < is written as \\<)",
        )
    name = parts[0].strip()
    if not name:
        raise unreadable("a tag of {field} names no network", tag, f"right would be <{kind}:name:1>")
    known = _PARAMETERS[:1] if kind == "hypernet" else _PARAMETERS
    values = {}
    for place, part in enumerate(parts[1:]):
        key, equals, value = part.partition("=")
        if not equals:
            key, value = known[place] if place < len(known) else "", part
        if key.strip() not in known:
            right = f"right would be <{kind}:name:{':'.join(known)}>"
            raise unreadable(f"a tag of {{field}} has {part!r} too much", tag, right)
        values[key.strip()] = value
    te = _number(values.get("te", "1"), tag)
    return Network(
        kind=cast(NetworkKind, kind),
        name=name,
        te=te,
        unet=_number(values["unet"], tag) if "unet" in values else te,
        dyn=_rank(values["dyn"], tag) if "dyn" in values else None,
    )


def _number(text: str, tag: str) -> float:
    with suppress(ValueError):
        if math.isfinite(value := float(text)):
            return value
    raise unreadable(f"{text!r} in a tag of {{field}} is not a number", tag, "right would be one like 0.8")


def _rank(text: str, tag: str) -> int:
    with suppress(ValueError):
        if (rank := int(text)) >= 1:
            return rank
    raise unreadable(f"{text!r} in a tag of {{field}} is not a rank", tag, "right would be a whole number from 1")


def unreadable(message: str, value: str | int, hint: str) -> RequestError:
    """The error of a prompt that can't be read: its part as the value, which a text ends the message with.

    `{field}` in the message stands for the prompt's field: "prompt", unless a caller that knows better sets it.
    """
    shown = f": {value!r}" if isinstance(value, str) else ""
    return RequestError(message + shown, field="prompt", value=value, hint=hint)
