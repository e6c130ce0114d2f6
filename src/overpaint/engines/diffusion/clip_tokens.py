"""CLIP's tokens: byte pairs (Sennrich et al. 2016) over bytes (Radford et al. 2019) of lower-case text.

Text is brought to Unicode's form C; runs of white space become one blank, and letters lower case. It is then split into
words, endings of contractions, single digits and runs of other signs. The vocabulary's merges join their bytes; `</w>`
marks the last one of a part. Hugging Face's tokenizers does the work.
"""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from overpaint.errors import ModelError
from overpaint.models import ClipVocabulary
from overpaint.models.vocabulary import END, START
from overpaint.prompt.chunks import CHUNK, PromptTokenizer

_PARTS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def clip_tokenizer(vocabulary: ClipVocabulary, pad: str = END, places: int = CHUNK + 2) -> PromptTokenizer:
    """A tokenizer. Text that looks like a mark (`<|endoftext|>`) is text like any other.

    Args:
        vocabulary: Tokens, the marks of begin and end among them, and merges.
        pad: The token that fills a row up; the end mark where the vocabulary lacks it.
        places: Those of the text encoder, marks included; no more than CLIP's are used.

    Raises:
        ModelError: A merge of, or to, a token that the vocabulary lacks.
    """
    tokenizer = _tokenizer(vocabulary)

    def tokenise(text: str) -> list[int]:
        clean = text.encode("utf-8", "replace").decode()  # half of a surrogate pair has no UTF-8
        return list(tokenizer.encode(clean, add_special_tokens=False).ids)

    eos = vocabulary.tokens[END]
    pad_id = vocabulary.tokens.get(pad, eos)
    return PromptTokenizer(tokenise, vocabulary.tokens[START], eos, pad_id, min(places - 2, CHUNK))


@lru_cache(maxsize=2)
def _tokenizer(vocabulary: ClipVocabulary) -> Tokenizer:
    """It takes a fifth of a second to make and holds no state of a text: text encoders and models share it."""
    try:
        model = models.BPE(
            vocab=dict(vocabulary.tokens), merges=list(vocabulary.merges), continuing_subword_prefix="",
            end_of_word_suffix="</w>", fuse_unk=False, unk_token=END,
        )  # fmt: skip
    except Exception as error:  # tokenizers raises no narrower class
        raise ModelError(f"the vocabulary {vocabulary.source} is damaged: {error}") from error
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PARTS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
