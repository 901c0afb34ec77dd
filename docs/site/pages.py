"""Pages of the site that nobody writes: the reference, and what stands outside docs/.

MkDocs calls the functions ``on_...``. The reference comes from where its facts are: the commands from typer, the
metrics from their registry, the models from their bundles, the API from the docstrings.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from volfuse.metrics import METRICS
from volfuse.models import Bundle, bundles

ROOT = Path(__file__).parents[2]
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that are pages of the site."""


def on_config(config: MkDocsConfig) -> None:
    """Add to the navigation what is generated."""
    reference = [
        {"Commands": "reference/commands.md"},
        *({page.stem.capitalize(): f"reference/{page.name}"} for page in written_reference()),
        {"Metrics": "reference/metrics.md"},
        {"Models": [{bundle.title: model_page(bundle)} for bundle in first_bundles()]},
        {"API": [{f"volfuse.{room}": f"reference/api/{room}.md"} for room in rooms()]},
    ]
    research = [f"research/{note.name}" for note in notes()]
    sections = {"Reference": reference, "Research": research, "Project": list(OUTSIDE.values())}
    config.nav = [*config.nav, *({title: pages} for title, pages in sections.items())]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files that stand outside docs/."""

    def generate(name: str, content: str) -> None:
        files.append(File.generated(config, name, content=content))

    for name, page in (
        OUTSIDE | {f"research/{path.name}": f"research/{path.name}" for path in research()}
    ).items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    files.append(
        File.generated(
            config, "icon.png", abs_src_path=str(ROOT / "SlicerFusion/Resources/Icons/SlicerFusion.png")
        )
    )
    generate("reference/commands.md", commands())
    generate("reference/metrics.md", metrics())
    for bundle in first_bundles():
        generate(model_page(bundle), model(bundle))
    for room, modules in rooms().items():
        generate(f"reference/api/{room}.md", api(room, modules))
    return files


def commands() -> str:
    """What ``--help`` says, of every command."""
    command = [
        sys.executable,
        "-m",
        "typer",
        "volfuse.cli",
        "utils",
        "docs",
        "--name",
        "volfuse",
        "--title",
        "Commands",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def metrics() -> str:
    """The registry as a table."""
    rows = [
        (
            f"[`{metric.name}`][{metric.function.__module__}.{metric.function.__name__}]",
            metric.label,
            metric.value_range,
            metric.identical,
            "higher" if metric.higher_is_better else "lower",
            "yes" if metric.differentiable else "no",
            metric.published,
        )
        for metric in METRICS.values()
    ]
    head = ("name", "label", "range", "identical images", "better", "gradient", "published arithmetic")
    return (
        "# Metrics\n\nWhat `volfuse evaluate --metrics` and `volfuse.metrics.FusionMetric` know. What they mean and\n"
        "where published numbers differ: [metrics](../concepts/metrics.md).\n\n" + table(head, rows)
    )


def model(bundle: Bundle) -> str:
    """A model card, with the entries of its configurations that ``monai.bundle run`` can replace."""
    card = (bundle.root / "docs" / "README.md").read_text(encoding="utf-8")
    configs = [
        json.loads((bundle.root / "configs" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("inference", "train")
    ]
    names = dict.fromkeys(name for config in configs for name, value in config.items() if is_option(value))
    rows = [(f"`{name}`", *(default(config.get(name)) for config in configs)) for name in names]
    return (
        f"{card}\n## Entries of its configurations\n\n"
        "`monai.bundle run ... --NAME VALUE` replaces them; a default that begins with `$` is computed.\n\n"
        + table(("name", "`inference.json`", "`train.json`"), rows)
    )


def api(room: str, modules: list[str]) -> str:
    """The public names of a room, where they are defined: what a package passes on is not shown twice."""
    parts = [f"# volfuse.{room}"]
    for module in modules:
        options = {"show_root_heading": module != modules[0], "show_root_toc_entry": module != modules[0]}
        if (ROOT / module.replace(".", "/")).is_dir():
            options["members"] = False
        parts.append(f"::: {module}\n    options: {json.dumps(options)}")
    return "\n\n".join(parts) + "\n"


def rooms() -> dict[str, list[str]]:
    """The rooms of the library with their modules; the command line has a page of its own."""
    package = ROOT / "volfuse"
    found: dict[str, list[str]] = {}
    for path in sorted(package.rglob("*.py")):
        *folders, name = path.relative_to(package).with_suffix("").parts
        parts = folders if name == "__init__" else [*folders, name]
        if parts and not name.startswith("__main__") and name != "cli":
            found.setdefault(parts[0], []).append(".".join(("volfuse", *parts)))
    return found


def first_bundles() -> list[Bundle]:
    """One model of every bundle, in the order of their names."""
    return [bundle for bundle in bundles().values() if bundle.weights_file == "model.pt"]


def model_page(bundle: Bundle) -> str:
    """Where a model's card stands in the site."""
    return f"reference/models/{bundle.root.name}.md"


def written_reference() -> list[Path]:
    """Pages of the reference that stand in docs/."""
    return sorted((ROOT / "docs" / "reference").glob("*.md"))


def research() -> list[Path]:
    """Notes of experiments with their pictures and numbers."""
    return sorted((ROOT / "research").iterdir())


def notes() -> list[Path]:
    """The notes, newest first."""
    return sorted((ROOT / "research").glob("*.md"), reverse=True)


def is_option(value: Any) -> bool:
    """Neither a component nor a list of them: something that a command line can replace."""
    parts = value if isinstance(value, list) else [value]
    return not any(isinstance(part, dict) for part in parts)


def default(value: Any) -> str:
    """Write a value as the configuration has it; one that computes components is not shown."""
    return "" if value is None else f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a Markdown table; a bar within a cell is not taken for its end."""
    lines = [head, ("---",) * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )
