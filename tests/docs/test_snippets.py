"""Every command and every piece of Python that a reader is shown runs, or says why it does not here."""

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import blocks, follow

FOLDERS = ("start", "how-to")
PAGES = [
    REPOSITORY / "README.md",
    *(page for folder in FOLDERS for page in sorted((REPOSITORY / "docs" / folder).glob("*.md"))),
]
ALL = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", ALL, ids=name)
def test_every_block_names_its_language(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks(page))
    assert [block.line for block in blocks(page) if not block.language] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.runs for block in blocks(page))], ids=name
)
def test_following_the_page_works(page: Path, reader: Path, cache: Path) -> None:
    follow(page, reader, XDG_CACHE_HOME=str(cache), PIP_NO_INDEX="1")
