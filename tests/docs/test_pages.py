"""What holds for every page: its links, its length, its lines."""

import re
import subprocess
from pathlib import Path

import pytest
from write_tables import ROOT, pages

MOST_WORDS = 1200
LONGEST_LINE = 100
LINK = re.compile(r"\]\(([^)\s]+)\)")
PROSE = re.compile(r"^(?!\||<|!\[|\s*\S+$)")  # no table, comment, picture or single long word
CODE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
PATH_OF_A_PAGE = re.compile(r"\b(?:docs|research|results)/(?!README)[\w./-]+\.(?:md|csv|png)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of the page may say, as GitHub and MkDocs make it from the heading."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings]
    return {re.sub(r"\s+", "-", word) for word in words}


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_lines_of_prose_are_short(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    assert [line for line in text.splitlines() if len(line) > LONGEST_LINE and PROSE.match(line)] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("[!r]*/**/*.md")), ids=name)
def test_a_page_is_read_at_one_sitting(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= MOST_WORDS


def test_messages_and_docstrings_name_pages_that_exist() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    lost = {
        (file, path)
        for file in listed.stdout.split()
        if not file.startswith("tests/docs/") and (ROOT / file).is_file()
        for path in PATH_OF_A_PAGE.findall((ROOT / file).read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    }
    assert lost == set()
