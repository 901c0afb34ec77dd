"""How work in the background tells how far it is: lines such as ``[3/10] case7 done`` on its standard output."""

import re

_LINE = re.compile(r"\[(\d{1,9})/(\d{1,9})\] ")


def report_progress(done: int, total: int, words: str) -> None:
    """Print a line for whoever watches."""
    print(f"[{done}/{total}] {words}", flush=True)


def read_progress(line: str) -> dict[str, int] | None:
    """Return ``done`` and ``total`` of a line that :func:`report_progress` printed; nothing for any other."""
    match = _LINE.match(line)
    return {"done": int(match[1]), "total": int(match[2])} if match else None
