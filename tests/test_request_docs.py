"""The pages on settings and intents say what the code says. Run as a script it writes their tables anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import get_args

import pytest

from overpaint.request import INTENTS, EditRequest, Part, settings_reference

DOCS = Path(__file__).parents[1] / "docs"


def settings_table() -> str:
    rows = ["| Setting | Takes | Left out | What it does |", "|---|---|---|---|"]
    for setting in settings_reference():
        takes = setting.takes + (f" ({setting.unit})" if setting.unit else "")
        rows.append(f"| `{setting.name}` | {takes} | {setting.left_open} | {setting.help} |")
    return "\n".join(rows)


def parts_table() -> str:
    rows = ["| `kind` | Keys | What it covers |", "|---|---|---|"]
    for part in get_args(get_args(Part)[0]):
        own = [
            f"`{name}`: {field.description}"
            for name, field in part.model_fields.items()
            if name not in ("kind", "op", "feather")
        ]
        kind, covers = part.model_fields["kind"].default, part.__doc__.strip().rstrip(".")
        rows.append(f"| `{kind}` | {'; '.join(own) or '-'} | {covers[0].lower()}{covers[1:]} |")
    return "\n".join(rows)


def intents_table() -> str:
    rows = [
        "| Intent | For | Strength | Masked content | Edge | Context | Alpha | Detail | Prompt | Further |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for rule in INTENTS.values():
        further = [
            *(["the mask marks what stays"] if rule.inverts_mask else []),
            *(["the picture grows by its margins"] if rule.grows_canvas else []),
            *(["needs no model"] if rule.prefers == "surroundings" and rule.engine is None else []),
            *([f"without a model: `{rule.engine}`"] if rule.engine is not None else []),
        ]
        cells = [
            f"`{rule.name}`",
            rule.title,
            f"{rule.strength:g}",
            f"`{rule.masked_content}`",
            rule.edge,
            rule.context,
        ]
        rows.append(f"| {' | '.join([*cells, rule.alpha, rule.detail, rule.prompt, ', '.join(further) or '-'])} |")
    return "\n".join(rows)


TABLES = {
    ("settings.md", "settings"): settings_table,
    ("settings.md", "parts"): parts_table,
    ("intents.md", "intents"): intents_table,
}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- table: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize(("page", "name"), TABLES)
def test_a_page_has_the_table_that_the_code_gives(page, name):
    found = _block(name).search((DOCS / page).read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == TABLES[page, name]() + "\n", f"the code has changed: run python {Path(__file__).name}"


def test_every_setting_says_what_it_takes_what_it_does_and_what_happens_without_it():
    rows = settings_reference()
    assert [row.name for row in rows] == [field.alias or name for name, field in EditRequest.model_fields.items()]
    assert all(row.help and row.takes and row.left_open for row in rows)
    assert all("|" not in row.help + row.takes + row.left_open for row in rows)


@pytest.mark.parametrize("fence", ["json", "toml", "python"])
def test_the_examples_on_the_settings_page_are_requests(fence):
    examples = re.findall(rf"```{fence}\n(.*?)```", (DOCS / "settings.md").read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for text in examples:
        match fence:
            case "json":
                EditRequest.from_json(text)
            case "toml":
                EditRequest.from_toml(text)
            case "python":
                exec(text, {})


if __name__ == "__main__":
    for (page, name), table in TABLES.items():
        path = DOCS / page
        text = path.read_text(encoding="utf-8")
        path.write_text(_block(name).sub(lambda m, table=table: f"{m[1]}{table()}\n{m[3]}", text), encoding="utf-8")
        sys.stdout.write(f"{path}: {name}\n")
