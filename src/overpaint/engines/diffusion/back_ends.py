"""Other ways to run a network than PyTorch's own, step by step: compiled by torch.compile, or by OpenVINO.

A program is made for one form of call: the shapes of all its tensors. So that not every canvas makes a new one, few
forms are taken; calls of any other form run as usual.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch

from .devices import memory_left
from .families import Family
from .placement import device_of
from .values import Conditioning, NetworkInput

BackEndName = Literal["eager", "compile", "openvino"]

MOST_FORMS = 8
"""Programs of one network. A canvas size needs one to four: with and without guidance, whole and outer layers."""

Found: TypeAlias = tuple[torch.Tensor, torch.Tensor | None]
"""A network's output, and its deep features where some are kept."""

Stage: TypeAlias = Callable[[str], None]
"""A function that shows people a text about what a long step does now."""

_TEXT = "text."
_RESIDUAL = "residual."


@dataclass(frozen=True, slots=True)
class CallForm:
    """What a program is made for.

    Attributes:
        tensors: Names and shapes of the tensors of a call.
        depth: How many layers are outer ones, where deep features are kept; 0 where none are.
    """

    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    depth: int = 0

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], depth: int) -> CallForm:
        """The form of a call with these tensors."""
        return cls(tuple((name, tuple(one.shape)) for name, one in tensors.items()), depth)


def tensors_of(given: NetworkInput, deep: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """The tensors of a call by name, in an order of their own."""
    found = {"x": given.x, "sigma": given.sigma, "t": given.t, "extra": given.extra, "guidance": given.guidance}
    tensors = {name: one for name, one in found.items() if one is not None}
    tensors |= {_TEXT + name: one for name, one in given.conditioning.tensors.items()}
    tensors |= {f"{_RESIDUAL}{number}": one for number, one in enumerate(given.residuals)}
    return tensors if deep is None else {**tensors, "deep": deep}


class NetworkProgram(torch.nn.Module):  # type: ignore[misc]
    """A network as a function of the tensors of one form of call, which compilers take."""

    def __init__(self, family: Family, network: Any, form: CallForm) -> None:
        """Wrap a network, called as `family` does."""
        super().__init__()
        self.network = network
        self._family = family
        self._names = tuple(name for name, _ in form.tensors)
        self._depth = form.depth
        self._dtype = next(network.parameters()).dtype

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The output, and the deep features where some are kept, of the form's tensors in their order."""
        named = dict(zip(self._names, tensors, strict=True))
        own = {name: one if name in ("sigma", "t", "guidance") else self._own(one) for name, one in named.items()}
        given = NetworkInput(
            own["x"],
            own["sigma"],
            own["t"],
            Conditioning({name[len(_TEXT) :]: one for name, one in own.items() if name.startswith(_TEXT)}),
            own.get("extra"),
            own.get("guidance"),
            residuals=tuple(one for name, one in own.items() if name.startswith(_RESIDUAL)),
        )
        if not self._depth:
            return (self._family.predict(self.network, given),)
        return self._family.predict_outer(self.network, given, self._depth, own.get("deep"))

    def _own(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._dtype) if tensor.is_floating_point() else tensor


def unheard(text: str) -> None:
    """A `Stage` for callers that show no progress: it ignores the text."""


class BackEnd(ABC):
    """A way to run one network, with its programs. For one thread.

    Attributes:
        kept: Whether programs are on disk, so that one that was dropped is back soon.
        notes: What ran as usual after all, and why, for people.
    """

    kept = False

    def __init__(self, family: Family, network: Any) -> None:
        """Take a network; programs are made by calls."""
        self._family = family
        self._network = network
        self._programs: dict[CallForm, Any] = {}  # the one that was used longest ago first
        self._refused: set[CallForm] = set()
        self.notes: dict[str, None] = {}

    @abstractmethod
    def __call__(
        self, given: NetworkInput, depth: int, deep: torch.Tensor | None, stage: Stage = unheard
    ) -> Found | None:
        """What `Family.predict` gives, or with a depth `Family.predict_outer`; None where it is to run as usual.

        Args:
            given: In the network's type, on its device.
            depth: See `CallForm`.
            deep: Deep features of an earlier call, or None.
            stage: Gets a text when a program is made, which takes a minute or more.
        """

    @property
    def program_bytes(self) -> int:
        """Memory that a program holds, beside the network's own weights."""
        return 0

    @property
    def making_bytes(self) -> int:
        """Memory that a program takes while it is made."""
        return self.program_bytes

    @property
    def bytes(self) -> int:
        """Memory that all programs hold."""
        return len(self._programs) * self.program_bytes

    def _program(self, title: str, form: CallForm, make: Callable[[], Any]) -> Any | None:
        """The program for a form; None where there are too many already, or no memory for one more."""
        if form in self._refused:
            return None
        if form not in self._programs:
            if len(self._programs) >= MOST_FORMS and self.kept:
                self._drop_oldest()
            if len(self._programs) >= MOST_FORMS:
                self.notes[f"{title} has programs for {MOST_FORMS} forms of call: those of this size ran without"] = (
                    None
                )
                return None
            if not self._has_room(title):
                self._refused.add(form)
                return None
            self._programs[form] = make()
        self._programs[form] = found = self._programs.pop(form)
        return found

    def _drop_oldest(self) -> None:
        """Drop the program that was used longest ago."""
        self._programs.pop(next(iter(self._programs)))
        gc.collect()  # programs may be part of reference cycles

    def _has_room(self, title: str) -> bool:
        """Whether there is memory for one more program, where need be without those that were used longest ago."""
        left = memory_left(device_of(self._network))
        while left is not None and left < self.making_bytes <= left + self.bytes and self._programs:
            self._drop_oldest()
            left = memory_left(device_of(self._network))
        if left is None or left >= self.making_bytes:
            return True
        needed, has = (f"{one / 1e9:.1f} GB" for one in (self.making_bytes, left))
        note = f"{title} needs {needed} of memory for a program, and {has} are left: the network ran without"
        self.notes[note] = None
        return False


class Compiled(BackEnd):
    """torch.compile. Rows are filled up to a power of two, so that a program serves several numbers of pictures."""

    def __init__(self, family: Family, network: Any, compiler: Callable[[torch.nn.Module], Any] | None = None) -> None:
        """`compiler` makes a program faster; None: torch.compile, which needs a C++ compiler on a CPU."""
        super().__init__(family, network)
        self._compiler = compiler or compiled
        self._ran: set[CallForm] = set()
        self._failed = False

    def __call__(
        self, given: NetworkInput, depth: int, deep: torch.Tensor | None, stage: Stage = unheard
    ) -> Found | None:
        """See `BackEnd.__call__`. Where compiling fails, a note says so, and it is not tried again."""
        rows = len(given.x)
        tensors = {name: _filled(one, rows) for name, one in tensors_of(given, deep).items()}
        form = CallForm.of(tensors, depth)
        if self._failed:
            return None
        program = self._program(
            "torch.compile",
            form,
            lambda: self._compiler(NetworkProgram(self._family, self._network, form).eval()),
        )
        if program is None:
            return None
        if form not in self._ran:
            stage("compiling the network (once for this shape)")
        try:
            output, *made = program(*tensors.values())
        except Exception as error:
            if form in self._ran:  # it was compiled: this failure has another cause
                raise
            self._failed = True
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            self.notes[f"torch.compile failed, and the network ran without it: {reason}"] = None
            return None
        self._ran.add(form)
        return output[:rows], made[0][:rows] if made else None


def compiled(program: torch.nn.Module) -> Any:
    """The program, compiled for the shapes of its first call; on a CPU with its weights laid out for its kernels."""
    freezes = next(program.parameters()).device.type == "cpu"
    return torch.compile(program, dynamic=False, options={"freezing": True} if freezes else None)


def _filled(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """The tensor with its last row repeated until there is a power of two of rows."""
    more = (1 << (rows - 1).bit_length()) - rows
    return torch.cat([tensor, *[tensor[-1:]] * more]) if more and len(tensor) == rows else tensor
