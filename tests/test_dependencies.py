"""What the packages import and what pyproject.toml declares are the same, both ways."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = {"overpaint", "training", "benchmarks", "examples"}
PART_OF = {"pydantic-core": "pydantic"}  # pinned by pydantic to one version
NAMED_OTHERWISE = {"socketio": "python-socketio"}  # a module that may not be installed yet where this runs
LOADED_BY_OTHERS = {"python-multipart"}  # starlette reads forms with it, and does not depend on it
TOOLS = {"pytest-xdist", "ruff", "mypy", "types-defusedxml", "types-pyyaml", "pytest"}  # run, not imported
BY_NAME = {"private_copy", "import_module", "find_spec", "importorskip"}  # calls that take a module's name


def declared(requirements: list[Any]) -> set[str]:
    """Names of distributions, in PEP 503's form; groups that are included are followed."""
    names = set()
    for one in requirements:
        if isinstance(one, dict):
            names |= declared(PROJECT["dependency-groups"][one["include-group"]])
        else:
            names.add(re.match(r"[\w.-]+", one)[0].lower().replace("_", "-"))
    return names


BASE = declared(PROJECT["project"]["dependencies"])
EXTRAS = declared([one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra])
GROUPS = declared([one for group in PROJECT["dependency-groups"].values() for one in group])


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def distribution_of(module: str) -> str:
    """The distribution that a module comes with, by what is installed."""
    found = distributions().get(module, [NAMED_OTHERWISE.get(module, module)])
    names = [name.lower().replace("_", "-") for name in found]
    known = [name for name in names if name in BASE | EXTRAS | GROUPS]
    return PART_OF.get(names[0], (known or names)[0])


def modules(tree: ast.AST) -> Iterator[str]:
    """Names of all imported modules, those within functions and those given to an importing call included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in BY_NAME and isinstance(node.args[0].value, str):
                yield node.args[0].value


def at_import(tree: ast.Module) -> ast.Module:
    """The tree without functions and blocks for type checkers: what runs when the module is imported."""

    class Outer(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else node

    return Outer().visit(tree)


def imported(*folders: str, only_at_import: bool = False) -> set[str]:
    """Distributions of other projects that the files in these folders import."""
    here = {path.stem for path in (ROOT / "tests").glob("*.py")}
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        found |= {name.split(".")[0] for name in modules(at_import(tree) if only_at_import else tree)}
    return {distribution_of(name) for name in found - sys.stdlib_module_names - OURS - here if name}


def test_src_imports_exactly_the_declared_packages():
    assert imported("src") - BASE - EXTRAS == set()


def test_all_that_is_declared_for_src_is_imported_there():
    assert (BASE | EXTRAS) - imported("src") == LOADED_BY_OTHERS


def test_optional_packages_are_never_imported_with_a_module():
    assert imported("src", only_at_import=True) & (EXTRAS - BASE) == set()


@pytest.mark.parametrize("folder", ["training", "benchmarks", "examples"])
def test_the_other_folders_import_declared_packages(folder):
    assert imported(folder) - BASE - EXTRAS - GROUPS == set()


def test_every_group_is_used():
    used = imported("src", "tests", "training", "benchmarks", "examples") | TOOLS
    assert GROUPS - used == set()


def test_constraints_pin_all_that_is_declared():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert (BASE | EXTRAS | GROUPS) - pinned == set()


def test_the_comparison_sees_late_imports():
    tree = ast.parse(
        "import a.b\nif TYPE_CHECKING:\n    import e\ndef f():\n    from c import d\n    import_module('g.h')\n"
    )
    assert list(modules(tree)) == ["a.b", "e", "c", "g.h"]
    assert list(modules(at_import(tree))) == ["a.b"]
