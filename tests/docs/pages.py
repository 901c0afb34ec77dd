"""Pages of the documentation as programs: what their code blocks do when a reader follows them from top to bottom.

- ``sh`` blocks of a page run in one shell, ``python`` blocks in a process each, all in one folder.
- ``<!-- file: NAME -->`` before a block: it is written to that file instead.
- ``<!-- not run: WHY -->`` before a block: it is left out.
- Blocks in other languages (``text``, ``json``, ...) are no programs. A block without a language is an error.
"""

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<order>file|not run): (?P<value>[^\n]+) -->\n+ *)?"
    r"```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: what stands behind the fence.
        code: its text, without the indentation of the list it may stand in.
        order: ``"file"``, ``"not run"`` or nothing.
        value: the name of the file, or the reason.
        line: where it begins in the page.
    """

    language: str
    code: str
    order: str | None
    value: str | None
    line: int

    @property
    def runs(self) -> bool:
        """It is a program, and nothing says that it is left out."""
        return self.language in ("sh", "python") and self.order != "not run"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            textwrap.dedent(found["code"]),
            found["order"],
            found["value"],
            text.count("\n", 0, found.start("language")) + 1,
        )
        for found in _BLOCK.finditer(text)
    ]


def script(page: Path) -> str:
    """Return a page as one shell script that says on standard error which line of the page it has reached."""
    parts = ["set -eo pipefail"]
    for block in blocks(page):
        if not block.runs:
            continue
        parts.append(f"echo '{page.name}:{block.line}' >&2")
        if block.order == "file":
            parts.append(f"cat > {block.value} <<'END_OF_FILE'\n{block.code}END_OF_FILE")
        elif block.language == "python":
            parts.append(f"python - <<'END_OF_FILE'\n{block.code}END_OF_FILE")
        else:
            parts.append(block.code)
    return "\n".join(parts)


def follow(page: Path, folder: Path, **variables: str) -> None:
    """Run a page in ``folder``; an error shows what was printed and the line of the page last reached."""
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"} | variables
    done = subprocess.run(
        ["bash", "-c", script(page)],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{page} stopped:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
