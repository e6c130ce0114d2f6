"""Digest of a result's inputs: the source of a module and of all its imports within the project."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "scipy", "torch")


def fingerprint(modules: Iterable[str], *extra: str, package: str = "overpaint") -> str:
    """16 hexadecimal digits over the source files reached from `modules`, the libraries' versions and `extra`.

    Imports inside functions count too; modules found through entry points must be named. Other packages count by the
    versions of `LIBRARIES` alone.
    """
    digest = hashlib.sha256()
    for path in sorted(reached(modules, package)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for text in (*(f"{name} {version(name)}" for name in LIBRARIES), *extra):
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()[:16]


def reached(modules: Iterable[str], package: str = "overpaint") -> set[Path]:
    """Every source file of the package that these modules import, with the modules.

    The package's own `__init__` is left out: it imports everything for users, and fills do not need it.
    """
    found: dict[str, Path] = {}
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None or name == package or name.split(".")[0] != package:
            continue
        found[name] = path
        waiting += [parent for target in _imports(name, path) for parent in _with_parents(target)]
    return set(found.values())


def _with_parents(name: str) -> list[str]:
    steps = name.split(".")
    return [".".join(steps[:n]) for n in range(1, len(steps) + 1)]


@cache
def _source(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None  # `from package import function` is no module, and neither are a module's members
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None


def _imports(name: str, path: Path) -> tuple[str, ...]:
    return _imported(name if path.name == "__init__.py" else name.rpartition(".")[0], path.read_bytes())


@cache
def _imported(home: str, source: bytes) -> tuple[str, ...]:
    """What a module in the package `home` imports; it is parsed once for all results that depend on it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = home.split(".")
            base = ".".join(steps[: len(steps) - node.level + 1]) if node.level else ""
            target = ".".join(part for part in (base, node.module or "") if part)
            found += (target, *(f"{target}.{alias.name}" for alias in node.names))
    return tuple(found)
