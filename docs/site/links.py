"""Links as they work in the repository, turned into links of the site.

A page links to a file by its place, which any host of the repository can follow. A file that is a page of the site is
linked there, any other at the repository's address.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
_TARGET = re.compile(r"(?<=\]\()(?!\w+:|#)(?P<path>[^)#\s]+)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn every relative link of a page."""
    home = source_of(page.file.src_uri)
    pages = {source_of(file.src_uri): file.src_uri for file in files}

    def turn(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(home), found["path"]))
        if path in pages:
            return os.path.relpath(pages[path], posixpath.dirname(page.file.src_uri) or ".")
        if (ROOT / path).exists() and not path.startswith(".."):
            kind = "tree" if (ROOT / path).is_dir() else "blob"
            return f"{config.repo_url.rstrip('/')}/{kind}/main/{path}"
        return found["path"]

    return _TARGET.sub(turn, markdown)


def source_of(page: str) -> str:
    """Return the file of the repository that a page of the site is made of."""
    if page.startswith("research/"):
        return page
    if page in ("contributing.md", "changelog.md"):
        return f"{Path(page).stem.upper()}.md"
    if page.startswith("reference/models/"):
        return f"monai_bundles/{Path(page).stem}/docs/README.md"
    return f"docs/{page}"
