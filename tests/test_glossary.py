"""The glossary: sorted, one sentence a term, with all terms that the docs link to; its classes exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import overpaint
from overpaint.request import EditRequest

DOCS = Path(__file__).parents[1] / "docs"
TERMS = re.findall(r"^- \*\*(.+?)\*\*: (.+)$", (DOCS / "glossary.md").read_text(), re.MULTILINE)
NAMES = [name for name, _ in TERMS]


def test_every_term_is_there_once_in_alphabetical_order():
    assert [name.casefold() for name in NAMES] == sorted({name.casefold() for name in NAMES})


def test_each_has_one_sentence():
    assert [text for _, text in TERMS if not text.endswith(".") or ". " in text or not text[0].islower()] == []
    listed = [line for line in (DOCS / "glossary.md").read_text().splitlines() if line.startswith("- ")]
    assert len(listed) == len(TERMS)


def test_the_terms_that_readers_stumble_over_are_there():
    wanted = (
        "mask, core, support, frame, working size, canvas, painter, card, reach, feather, grow, dialect, family, "
        "sampler, record, sidecar, ledger, lease, engine, region, patch, composite, request, resolved request, intent, "
        "studio, exact mode, infotext, batch, executor, worker, digest, seam, latent"
    )
    assert set(wanted.split(", ")) <= set(NAMES)


def test_the_classes_that_it_names_exist():
    known = {
        node.name
        for path in Path(overpaint.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    named = {name for _, text in TERMS for name in re.findall(r"`([A-Z][a-z]\w*)`", text)}
    assert len(named) > 20
    assert named - known == set()


def test_terms_that_pages_link_to_are_in_it():
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
    linked = {term for page in pages for term in re.findall(r"\[([^\]]+)\]\(\S*glossary\.md\)", page.read_text())}
    assert {"core", "reach"} <= linked
    assert linked - {name.casefold() for name in NAMES} <= {"glossary", "docs/glossary.md"}


def test_settings_that_are_terms_of_their_own_are_explained():
    words = {name.replace("_", " ") for name in EditRequest.model_fields}
    explained = words & set(NAMES)
    assert {"strength", "grow", "feather", "padding", "reach limit", "masked content", "detail", "seam"} <= explained
