"""What the build of the site makes of docstrings and links."""

import importlib.util
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.conftest import REPOSITORY

griffe = pytest.importorskip("griffe", reason="the extra dev is not installed")
SITE = REPOSITORY / "docs" / "site"


def load(name: str) -> object:
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library() -> object:
    extensions = griffe.load_extensions(SITE / "docstrings.py")
    return griffe.load("volfuse", search_paths=[REPOSITORY], extensions=extensions)


def docstrings(obj: object) -> Iterator[str]:
    if obj.docstring is not None:
        yield obj.docstring.value
    for member in obj.members.values():
        if not member.is_alias:
            yield from docstrings(member)


def test_no_docstring_shows_a_directive_of_another_markup(library: object) -> None:
    texts = list(docstrings(library))
    assert len(texts) > 500
    assert [text for text in texts if ":math:" in text or ".. math::" in text or ":class:" in text] == []


def test_a_formula_becomes_mathml_and_a_name_a_link_to_its_definition(library: object) -> None:
    assert "<div><math" in library["metrics.contrast.spatial_frequency"].docstring.value
    link = '<autoref identifier="volfuse.metrics.registry.METRICS" optional><code>METRICS</code></autoref>'
    assert link in library["metrics"].docstring.value


@pytest.mark.parametrize(
    ("page", "target", "link"),
    [
        ("how-to/fuse.md", "../concepts/metrics.md", "../concepts/metrics.md"),
        ("how-to/fuse.md", "../concepts/metrics.md#ssim", "../concepts/metrics.md#ssim"),
        ("how-to/fuse.md", "../../volfuse/cli.py", "https://host/blob/main/volfuse/cli.py"),
        ("how-to/fuse.md", "../../benchmarks", "https://host/tree/main/benchmarks"),
        ("contributing.md", "docs/concepts/metrics.md", "concepts/metrics.md"),
        ("concepts/metrics.md", "../../monai_bundles/tafie/docs/README.md", "../reference/models/tafie.md"),
        ("concepts/metrics.md", "../../no/such/file.md", "../../no/such/file.md"),
        ("concepts/metrics.md", "https://elsewhere.org/a.md", "https://elsewhere.org/a.md"),
        ("concepts/metrics.md", "#here", "#here"),
    ],
)
def test_links_of_the_repository_lead_to_pages_or_to_its_address(page: str, target: str, link: str) -> None:
    names = ["how-to/fuse.md", "concepts/metrics.md", "contributing.md", "reference/models/tafie.md"]
    files = [SimpleNamespace(src_uri=name) for name in names]
    turned = load("links").on_page_markdown(
        f"see [it]({target}).",
        SimpleNamespace(file=SimpleNamespace(src_uri=page)),
        SimpleNamespace(repo_url="https://host/"),
        files,
    )
    assert turned == f"see [it]({link})."


def test_every_page_of_the_site_is_in_the_navigation() -> None:
    """What MkDocs would say too, in less time than a build takes."""
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    docs = REPOSITORY / "docs"
    pages = [
        path.relative_to(docs).as_posix() for path in docs.rglob("*.md") if path.parent.name != "reference"
    ]
    assert [page for page in pages if page not in navigation] == []
