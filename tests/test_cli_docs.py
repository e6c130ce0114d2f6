"""docs/cli.md says every verb and option of the real command line, and nothing else.

Its tables are made from the command line itself: `python tests/test_cli_docs.py` writes them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from overpaint.cli import fields
from overpaint.cli.run import VERBS, application
from overpaint.request import EditRequest, settings_reference

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
PAINTING = ("remove", "replace", "recolor", "background", "refine", "add", "expand", "edit")
SHARING = (*PAINTING, "grid", "session edit", "session rerun")
"""Verbs with the options of those that paint."""

GROUPS = ("mask", "models", "audit", "session", "provenance", "keys")
_TABLE = re.compile(r"<!-- table: ([a-z -]+): ([A-Za-z, ]+) -->\n.*?<!-- end -->", re.DOTALL)


def verbs() -> dict[str, Any]:
    """Every verb's own application, those of groups included, by the words that call it."""
    found = {name: application(name)[name] for name in (verb.name for verb in VERBS) if name not in GROUPS}
    for group in GROUPS:
        own = application(group)[group]
        found |= {f"{group} {name}": own[name] for name in own if not name.startswith("-")}
    return found


ALL = verbs()
COMMON = application().default_parameter


def arguments(verb: str) -> Iterator[Any]:
    """The arguments of a verb that the help shows."""
    return (
        one
        for one in ALL[verb].assemble_argument_collection(default_parameter=COMMON, parse_docstring=True)
        if one.show
    )


def rows(verb: str, panels: list[str]) -> Iterator[str]:
    left_open = {
        fields.option_name(setting.name): setting.left_open
        for setting in settings_reference()
        if setting.name in fields.names()
    }
    for one in arguments(verb):
        if not {group.name for group in one.parameter.group} & set(panels):
            continue
        names = [name for name in one.names if not name.startswith("--no-")]
        written = ", ".join(f"`{name}`" for name in names) if names else f"`{one.name}`"
        takes = ", ".join(get_args(one.resolved_hint)) if get_origin(one.resolved_hint) is Literal else ""
        takes = takes or (one.parameter.metavar or "").replace("|", " or ")
        takes = takes if one.hint is not bool and names else ""
        default = left_open.get(names[0], "") if names and verb.split()[0] not in ("mask", "enlarge", "restore") else ""
        given, said = one.field_info.default, one.parameter.show_default
        if type(given) is int or (not default and given not in (None, (), False, one.field_info.empty)):
            default = f"`{given}`"
        elif not default and isinstance(said, str):
            default = said
        yield f"| {written} | {takes} | {one.parameter.help} | {default} |"


def table(verb: str, panels: list[str]) -> str:
    head = "| Option | Takes | What it does | Left out |\n|---|---|---|---|\n"
    return head + "\n".join(rows(verb, panels))


def filled(page: str) -> str:
    """The page with every table as the command line has it."""

    def fill(found: re.Match[str]) -> str:
        verb, panels = found[1], [panel.strip() for panel in found[2].split(",")]
        return f"<!-- table: {verb}: {found[2]} -->\n{table(verb, panels)}\n<!-- end -->"

    return _TABLE.sub(fill, page)


def test_the_tables_are_those_of_the_command_line() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(_TABLE.findall(page)) >= 10
    assert filled(page) == page, "run: python tests/test_cli_docs.py"


@pytest.mark.parametrize("verb", list(ALL))
def test_every_verb_has_a_section_and_its_options_are_on_the_page(verb: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n## {verb}\n" in page or f"\n### {verb}\n" in page
    section = re.split(r"\n#{2,3} ", page.split(f"# {verb}\n", 1)[1], maxsplit=1)[0]
    assert f"overpaint {verb}" in section, "an example"
    shared = page.split("## Options of the verbs that paint", 1)[1] if verb in SHARING else ""
    for one in arguments(verb):
        for name in one.names:
            if not name.startswith("--no-"):
                assert f"`{name}`" in section + shared, f"{verb} {name}"


def test_the_page_names_no_option_and_no_verb_that_does_not_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    known = {name for verb in ALL for one in arguments(verb) for name in one.names}
    known |= {"--help", "--version", "--install-completion"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", page)) <= known
    called = set(re.findall(rf"(?<![.\w])overpaint ((?:(?:{'|'.join(GROUPS)}) )?[a-z]+(?:-[a-z]+)*)", page))
    assert called - set(GROUPS) <= set(ALL) | {f"{group} VERB" for group in GROUPS}


def test_every_field_of_the_request_reaches_the_command_line() -> None:
    keys = {field.alias or name for name, field in EditRequest.model_fields.items()}
    assert set(fields.names()) | set(fields.COVERED) == keys
    assert not set(fields.names()) & set(fields.COVERED)
    for verb in PAINTING:
        offered = {name for one in arguments(verb) for name in one.names}
        assert {fields.option_name(name) for name in fields.names()} <= offered, verb


def test_what_covers_a_field_exists() -> None:
    offered = {name for verb in PAINTING for one in arguments(verb) for name in one.names}
    for way in fields.COVERED.values():
        assert set(re.findall(r"--[a-z-]+", way)) <= offered


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
