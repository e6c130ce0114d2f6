"""Faster imports of large libraries: without garbage collection, and without parts that are not used here."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection within the block; for imports, which create many objects and little garbage.

    Collection takes an eighth of the processor time of importing torch, diffusers and transformers. Where it was off
    before, it stays off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def private_copy(
    package: str,
    alias: str,
    modules: Sequence[str],
    *,
    empty: Mapping[str, Sequence[str]] = {},
    without: Collection[str] = (),
) -> tuple[ModuleType, ...]:
    """Modules of a package, imported under another name and without modules that they do not need.

    diffusers' U-Net needs torch and a few files of diffusers. Its packages, however, import all their modules, and with
    them transformers, SciPy and torch's compiler where these are installed, which takes six times as long.

    The copy is incomplete. Under its own name the package can still be imported in full, with classes of its own. The
    import machinery is changed for the calling thread only, and only during the call.

    Args:
        package: A top-level name of a package whose modules import each other by relative names.
        alias: The top-level name of the copy.
        modules: Names of modules, relative to the package.
        empty: Packages within it whose `__init__` is not run, with the names in them that other modules import, for
            which classes without content stand in. Modules of these packages can be imported.
        without: Modules, by full name, that can't be imported and are reported as not installed. One that is imported
            already is only reported so.

    Returns:
        The modules, in their order.

    Raises:
        ImportError: The package is not installed, or can't be imported.
    """
    try:
        with _ONE_AT_A_TIME, _hidden(frozenset(without)):
            if alias not in sys.modules:
                found = importlib.util.find_spec(package)
                if found is None or found.origin is None:
                    raise ModuleNotFoundError(f"No module named {package!r}", name=package)
                folder = Path(found.origin).parent
                top = _new_package(alias, folder)
                for name, stand_ins in empty.items():
                    _new_package(f"{alias}.{name}", folder.joinpath(*name.split(".")))
                    vars(sys.modules[f"{alias}.{name}"]).update({one: type(one, (), {}) for one in stand_ins})
                top.loader.exec_module(sys.modules[alias])
            return tuple(importlib.import_module(f"{alias}.{name}") for name in modules)
    except BaseException:
        for name in [name for name in list(sys.modules) if name == alias or name.startswith(f"{alias}.")]:
            del sys.modules[name]
        raise


_ONE_AT_A_TIME = threading.Lock()


def _new_package(name: str, folder: Path) -> Any:
    """The specification of a package in `sys.modules` whose `__init__` has not run."""
    spec: Any = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return spec


@contextmanager
def _hidden(names: frozenset[str]) -> Iterator[None]:
    """Within the block this thread can't import or find modules of these names.

    With "torch._dynamo" among them `torch.compiler.disable` does nothing, as it would import the compiler. It only
    marks functions that are not to be compiled, and no network is compiled here.
    """
    import torch

    thread, find_spec, disable = threading.get_ident(), importlib.util.find_spec, torch.compiler.disable

    def hides(name: str) -> bool:
        return name in names and threading.get_ident() == thread

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if hides(name) else find_spec(name, package)

    def disabled(fn: Any = None, *args: Any, **options: Any) -> Any:
        if not hides("torch._dynamo"):
            return disable(fn, *args, **options)
        return fn if fn is not None else lambda decorated: decorated

    finder: Any = _HidingFinder(hides)
    sys.meta_path.insert(0, finder)
    importlib.util.find_spec, torch.compiler.disable = found, disabled
    try:
        yield
    finally:
        importlib.util.find_spec, torch.compiler.disable = find_spec, disable
        sys.meta_path.remove(finder)


@dataclass(frozen=True, slots=True)
class _HidingFinder:
    """The first finder: it finds nothing, and ends the search for hidden modules."""

    hides: Callable[[str], bool]

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if self.hides(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
