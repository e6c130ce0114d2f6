"""The rules of the house: one direction of imports, nothing heavy at import, a public surface that is real."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import overpaint

SOURCE = Path(overpaint.__file__).parent

# Ground floor first. A room may import itself and the floors below it; the rooms of a line are one floor.
FLOORS = (
    ("errors", "exposition"),
    ("bounded", "other_names"),
    ("geometry",),
    ("validation", "files", "locks"),
    ("values",),
    ("picture",),
    ("mask",),
    ("exemplar", "recolouring"),
    ("prompt",),
    ("request",),
    ("record",),
    ("frame",),
    ("pocket",),
    ("models",),
    ("select",),
    ("maps",),
    ("engines",),
    ("finish",),
    ("composite", "layers"),
    ("restore",),
    ("studio",),
    ("api",),
    ("session",),
    ("ledger",),
    ("audit",),
    ("doors",),
    ("client",),
    ("batch",),
    ("server",),
    ("web", "cli"),
    ("__main__",),
)
DOORS = ("doors", "cli", "__main__")
"""Rooms that may speak of options and commands; all others speak of fields."""
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = ("numpy", "torch", "cv2", "PIL", "scipy", "skimage", "diffusers", "transformers", "tifffile", "psd_tools")


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[int, str]]:
    """(line, room) of every import of Overpaint's own, those inside functions too; type-checking ones as well."""
    package = ["overpaint", *path.relative_to(SOURCE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "overpaint" else [module]
        else:
            continue
        found += [(node.lineno, name.split(".")[1]) for name in names if name.startswith("overpaint.")]
    return found


def test_every_room_has_a_floor():
    rooms = {_room(path) for path in SOURCE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(FLOOR_OF)


def test_imports_lead_downward_only():
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} imports {room}"
        for path in SOURCE.rglob("*.py")
        if _room(path) != "__init__"
        for line, room in _imports(path)
        if room in FLOOR_OF and room != _room(path) and FLOOR_OF[room] >= FLOOR_OF[_room(path)]
    ]
    assert wrong == []


def test_the_import_rule_can_fail(tmp_path, monkeypatch):
    (tmp_path / "mask").mkdir()
    file = tmp_path / "mask" / "bad.py"
    file.write_text("def f():\n    from overpaint.studio import Studio\n    from ..engines import paint\n")
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert _imports(file) == [(2, "studio"), (3, "engines")]


def test_one_module_alone_knows_diffusers_and_one_transformers():
    def knows(path: Path, *packages: str) -> bool:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("private_copy", "import_module"):
                names = [str(getattr(node.args[0], "value", ""))]
            if any(name.split(".")[0] in packages for name in names):
                return True
        return False

    files = list(SOURCE.rglob("*.py"))
    assert [path.relative_to(SOURCE) for path in files if knows(path, "diffusers")] == [
        Path("engines/diffusion/diffusers_networks.py")
    ]
    assert [path.relative_to(SOURCE) for path in files if knows(path, "transformers")] == [Path("select/networks.py")]


@pytest.mark.parametrize(
    "module",
    ["overpaint", *(f"overpaint.{room}" for room in ("errors", "geometry", "values", "files", "request", "cli"))],
)
def test_nothing_heavy_is_loaded_by_importing(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    ["overpaint"] + [f"overpaint.{room}" for room in FLOOR_OF if (SOURCE / room / "__init__.py").exists()],
)
def test_the_public_surface_is_real(module):
    found = importlib.import_module(module)
    names = found.__all__
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(found, name) is not None


def test_the_top_level_lists_what_it_offers():
    assert set(overpaint.__all__) <= set(dir(overpaint))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = overpaint.nonsense


def test_no_two_classes_share_a_name():
    places: dict[str, list[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(SOURCE)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_file_needs_a_table_of_contents():
    long = {
        str(path.relative_to(SOURCE)): count
        for path in SOURCE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


def _texts(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, text) of every string of a module, its docstrings included."""
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_the_core_speaks_of_fields_and_never_of_options_or_commands():
    spoken = re.compile(
        r"(?<![\w!<-])--[a-z]|'?overpaint (models|doctor|engines|mask|info|batch|replay|audit|session|expand)\b"
    )
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} {text[:60]!r}"
        for path in SOURCE.rglob("*.py")
        if _room(path) not in DOORS
        for line, text in _texts(ast.parse(path.read_text()))
        if spoken.search(text)
    ]
    assert wrong == [], "write the field's name (or {field}) here; the door adds its options and hints (by code)"


def test_what_the_command_line_prints_can_not_move_the_terminal():
    """Names and texts that are printed may be anyone's: every one goes through `visible`."""
    raw = []
    for path in sorted((SOURCE / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print" and node.args:
                made = getattr(getattr(node.args[0], "func", None), "id", "")
                constant = isinstance(node.args[0], ast.Constant)
                if not constant and made not in ("visible", "note_line") and path.name != "texts.py":
                    raw.append(f"{path.name}:{node.lineno}")
    assert raw == [], "print_line(text) of texts.py writes control characters out"


def _codes() -> set[tuple[str, str]]:
    """(code, class) of every error: defaults of classes, and literals where one is raised."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                for one in node.body:
                    target = one.target if isinstance(one, ast.AnnAssign) else getattr(one, "targets", [None])[0]
                    value = getattr(one, "value", None)
                    if getattr(target, "id", "") == "code" and isinstance(value, ast.Constant):
                        found.add((value.value, node.name))
            elif isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for given in node.keywords:
                    if given.arg == "code" and isinstance(given.value, ast.Constant) and name.endswith("Error"):
                        found.add((given.value.value, name))
    return found


def test_every_code_of_an_error_is_on_its_page():
    page = (SOURCE.parents[1] / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| ([\w, ]+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    listed = {(code, name) for code, names, _, _ in rows for name in names.split(", ")}
    assert listed == _codes(), "docs/errors.md lists code, class, meaning, what to do, in alphabetical order"
    codes = [code for code, *_ in rows]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in codes)
