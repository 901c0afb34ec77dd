"""A task in the background: ``python -m volfuse.label.background`` does what its first line of input says.

The input stays open as long as the server lives; when it ends, so does this process, whatever it is doing. What is
printed is the log of the task. The last line is :data:`RESULT` and what came out, or why nothing did.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from volfuse.errors import TOO_LITTLE_MEMORY, FusionError
from volfuse.jobs.limits import Limits, without_unused_packages

RESULT = "result: "
"""What the last line begins with; then comes JSON with ``result`` or ``error``."""
KINDS = ("train", "scoring", "batch_infer")
"""What can be done in the background, as MONAI Label calls it."""


def main() -> None:
    """Do one task."""
    command = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        outcome = {"result": _do(**command)}
    except FusionError as error:
        outcome = {"error": str(error)}
    except MemoryError:
        outcome = {"error": TOO_LITTLE_MEMORY}
    print(f"{RESULT}{json.dumps(outcome)}", flush=True)
    sys.stderr.flush()
    os._exit("error" in outcome)  # no thread of a library keeps a task that is done


def _do(kind: str, request: dict[str, Any], studies: str, conf: Mapping[str, str], limits: str) -> Any:
    with without_unused_packages("itk"):  # MONAI Label needs it
        from volfuse.label.application import new_application  # noqa: PLC0415 - the thread listens already

    application = new_application(studies, conf)
    allowed = Limits.from_argument(limits)
    allowed.apply()
    if kind == "train":
        return application.train(request)
    if kind == "scoring":
        return application.scoring(request)
    return application.batch_infer({**request, "limits": allowed})


def _end_with_the_server() -> None:
    while os.read(0, 1 << 16):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
