"""Importing large libraries: without the collector's walks, and without what they bring along and nothing here uses."""

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
    """No search for garbage meanwhile; for imports, which make hundreds of thousands of objects and hardly any of it.

    The collector would start over and over, and walk through all of them each time: an eighth of the processor time of
    torch, diffusers and transformers together. Whoever has switched it off finds it off afterwards.
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
    """Modules of a package, imported under another name and with as little else as they can do with.

    diffusers' U-Net needs torch and a few files of its own. Its packages, though, import all that they have, and with
    it transformers, SciPy and torch's compiler where these are installed: six times its own time.

    A package that was imported in this way knows less than its other users expect. Hence the other name: whoever
    imports it by its own gets a whole one, of other classes. Only the calling thread is kept from anything, and only
    meanwhile.

    Args:
        package: A top-level name.
        alias: The top-level name that it gets.
        modules: Within it, without its name.
        late: Packages within it that import their modules only when one of their own names is asked for.
        without: Modules, by their whole names, that look as if they were not there. One that is imported already is
            only kept from those who ask whether it is there.

    Returns:
        The modules, in their order. Where the package can't do without the others, as another version of it may not,
        they are its own, imported as ever.

    Raises:
        ImportError: The package is not installed, or can't be imported.
    """
    try:
        with _ONE_AT_A_TIME, _apart(package, alias, frozenset(without)):
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
        # Its modules import each other relative to where they are: a name for the uppermost is one for them all.
        top = _made(alias, Path(found.origin))
        for name in late:
            inner = _made(f"{alias}.{name}", Path(found.origin).parent.joinpath(*name.split("."), "__init__.py"))
            inner.__class__ = _Late
        assert top.__spec__ is not None
        assert top.__spec__.loader is not None
        top.__spec__.loader.exec_module(top)
    return tuple(importlib.import_module(f"{alias}.{name}") for name in modules)


def _made(name: str, init: Path) -> ModuleType:
    """A package among the modules that has not run yet."""
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(init.parent)])
    assert spec is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return sys.modules[name]


class _Late(ModuleType):
    """A package that runs when one of its own names is asked for; its modules can be imported without."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


@contextmanager
def _apart(package: str, alias: str, absent: frozenset[str]) -> Iterator[None]:
    """Meanwhile this thread finds the alias's modules where it looks for the package's, and the absent ones nowhere."""
    thread = threading.get_ident()
    finder: Any = _Finder(package, alias, absent, thread)
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in absent and threading.get_ident() == thread else found(name, package)

    sys.meta_path.insert(0, finder)
    importlib.util.find_spec = find_spec
    try:
        with _uncompiled(thread) if "torch._dynamo" in absent else nullcontext():
            yield
    finally:
        importlib.util.find_spec = found
        sys.meta_path.remove(finder)
        for name in finder.given:  # who looks there from now on is to find the package's own
            sys.modules.pop(name, None)


@dataclass(frozen=True, slots=True)
class _Finder:
    """What one thread finds, first of all finders: `given` is what it was given of the copy by the package's name."""

    package: str
    alias: str
    absent: frozenset[str]
    thread: int
    given: list[str] = field(default_factory=list)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if threading.get_ident() != self.thread:
            return None
        if name in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        inside = name == self.package or name.startswith(f"{self.package}.")
        copy = sys.modules.get(self.alias)
        if not inside or copy is None or sys.modules.get(self.package, copy) is not copy:
            return None
        self.given.append(name)
        return ModuleSpec(name, _Same(self.alias + name.removeprefix(self.package)))


@dataclass(slots=True)
class _Same(Loader):
    """Gives a module that there is already, under a second name."""

    name: str
    spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.name)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # which import has written over


@contextmanager
def _uncompiled(thread: int) -> Iterator[None]:
    """What this thread keeps from torch's compiler (`torch.compiler.disable`) is not told to it, as it is not there.

    That only says what is not to be compiled, and no network is compiled here.
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
