"""Faster imports of large libraries: without garbage collection, and without parts that are not used here."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.abc import Loader
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
    package: str, alias: str, modules: Sequence[str], *, late: Collection[str] = (), without: Collection[str] = ()
) -> tuple[ModuleType, ...]:
    """Modules of a package, imported under another name and without modules that they do not need.

    diffusers' U-Net needs torch and a few files of diffusers. Its packages, however, import all their modules, and with
    them transformers, SciPy and torch's compiler where these are installed, which takes six times as long.

    The copy is incomplete. Under its own name the package can still be imported in full, with classes of its own. The
    import machinery is changed for the calling thread only, and only during the call.

    Args:
        package: A top-level name.
        alias: The top-level name of the copy.
        modules: Names of modules, relative to the package.
        late: Packages within it whose `__init__` runs when one of its names is first used.
        without: Modules, by full name, that can't be imported and are reported as not installed. One that is imported
            already is only reported so.

    Returns:
        The modules, in their order. Where the package needs the excluded modules, as another version may, its own
        modules are imported in full.

    Raises:
        ImportError: The package is not installed, or can't be imported.
    """
    try:
        with _ONE_AT_A_TIME, _redirected(package, alias, frozenset(without)):
            return _imported(package, alias, modules, late)
    except BaseException as error:
        for name in [name for name in list(sys.modules) if name == alias or name.startswith(f"{alias}.")]:
            del sys.modules[name]
        if not isinstance(error, Exception):
            raise
    return tuple(importlib.import_module(f"{package}.{name}") for name in modules)


_ONE_AT_A_TIME = threading.Lock()


def _imported(package: str, alias: str, modules: Sequence[str], late: Collection[str]) -> tuple[ModuleType, ...]:
    if alias not in sys.modules:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        # Its modules import each other by relative names, so that renaming the top package renames all.
        top = _new_package(alias, Path(found.origin))
        for name in late:
            inner = _new_package(f"{alias}.{name}", Path(found.origin).parent.joinpath(*name.split("."), "__init__.py"))
            inner.__class__ = _LatePackage
        assert top.__spec__ is not None
        assert top.__spec__.loader is not None
        top.__spec__.loader.exec_module(top)
    return tuple(importlib.import_module(f"{alias}.{name}") for name in modules)


def _new_package(name: str, init: Path) -> ModuleType:
    """A package in `sys.modules` whose `__init__` has not run."""
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(init.parent)])
    assert spec is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return sys.modules[name]


class _LatePackage(ModuleType):
    """A package whose `__init__` runs when one of its names is first used; its modules can be imported before."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


@contextmanager
def _redirected(package: str, alias: str, absent: frozenset[str]) -> Iterator[None]:
    """Within the block this thread gets the copy's modules by the package's name, and no absent module."""
    thread = threading.get_ident()
    finder: Any = _RedirectingFinder(package, alias, absent, thread)
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in absent and threading.get_ident() == thread else found(name, package)

    sys.meta_path.insert(0, finder)
    importlib.util.find_spec = find_spec
    try:
        with _compiler_not_needed(thread) if "torch._dynamo" in absent else nullcontext():
            yield
    finally:
        importlib.util.find_spec = found
        sys.meta_path.remove(finder)
        for name in finder.redirected:  # later imports get the package's own modules
            sys.modules.pop(name, None)


@dataclass(frozen=True, slots=True)
class _RedirectingFinder:
    """The first finder, for one thread; `redirected` has the names for which it gave modules of the copy."""

    package: str
    alias: str
    absent: frozenset[str]
    thread: int
    redirected: list[str] = field(default_factory=list)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if threading.get_ident() != self.thread:
            return None
        if name in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        inside = name == self.package or name.startswith(f"{self.package}.")
        copy = sys.modules.get(self.alias)
        if not inside or copy is None or sys.modules.get(self.package, copy) is not copy:
            return None
        self.redirected.append(name)
        return ModuleSpec(name, _SecondName(self.alias + name.removeprefix(self.package)))


@dataclass(slots=True)
class _SecondName(Loader):
    """Loads an existing module under a second name."""

    name: str
    spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.name)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import has replaced it


@contextmanager
def _compiler_not_needed(thread: int) -> Iterator[None]:
    """Within the block `torch.compiler.disable` does nothing in this thread, as it would import the compiler.

    It only marks functions that are not to be compiled, and no network is compiled here.
    """
    import torch

    disable = torch.compiler.disable

    def disabled(fn: Any = None, *args: Any, **options: Any) -> Any:
        if threading.get_ident() != thread:
            return disable(fn, *args, **options)
        return fn if fn is not None else lambda decorated: decorated

    torch.compiler.disable = disabled
    try:
        yield
    finally:
        torch.compiler.disable = disable
