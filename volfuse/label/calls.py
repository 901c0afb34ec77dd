"""Calls of the label server in a process of their own: ``python -m volfuse.label.calls``.

A server that accepts and never answers then keeps nobody waiting, and downloads are as fast as the network, whatever
holds Python in the process that wants them. Commands are lines of JSON on standard input; so is the token, which no
list of processes shows. When they end, whoever called is gone.
"""

import json
import os
import sys
import threading
from typing import Any

from volfuse.errors import FusionError
from volfuse.label.client import LabelClient

CALLS = ("info", "fetch", "judge", "score", "train", "watch")


def main() -> None:
    """Answer one call after another, each by a line of JSON: ``{"answer": ...}`` or ``{"error": sentence}``."""
    client: LabelClient | None = None
    for line in sys.stdin:
        command = json.loads(line)
        if "url" in command:
            client = LabelClient(command["url"], command["token"])
        else:
            threading.Thread(target=_answer, args=(client, command), daemon=True).start()
    os._exit(0)  # a call may be waiting for a server that never answers


def _answer(client: LabelClient, command: dict[str, Any]) -> None:
    try:
        if command["call"] not in CALLS:
            raise FusionError(f"There is no call '{command['call']}'; use {', '.join(CALLS)}.")
        answer = {"answer": getattr(client, command["call"])(*command["arguments"])}
    except FusionError as error:
        answer = {"error": str(error)}
    except Exception as error:  # without an answer the caller would wait for ever
        answer = {"error": f"The call to the server failed unexpectedly ({error!r:.100}); try again."}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
