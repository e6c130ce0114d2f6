"""The tokenizer of a network that reads words, from the files of its folder."""

from __future__ import annotations

from typing import Any

from overpaint.errors import ModelError
from overpaint.models import ModelRef

from .networks import transformers_class


def tokens_of(ref: ModelRef, module: str, name: str, files: tuple[str, ...]) -> Any:
    """The tokenizer of a folder.

    Args:
        ref: The folder.
        module: The module of `transformers.models` with its class.
        name: The class.
        files: What it may be read from in place of tokenizer.json, all of them.

    Raises:
        ModelError: The folder has none, or it is damaged.
    """
    if not (ref.path / "tokenizer.json").is_file() and not all((ref.path / one).is_file() for one in files):
        wanted = " and ".join(files)
        message = f"{ref.name} can't read words: it has neither tokenizer.json nor {wanted}"
        raise ModelError(message, code="model-incomplete", field="model", value=ref.name)
    kind = transformers_class(module, name, ref.name)
    try:
        return kind.from_pretrained(str(ref.path), local_files_only=True)
    except Exception as error:  # any bytes may be in the files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"the tokenizer of {ref.name} can't be read: {reason}", field="model", value=ref.name
        ) from error
