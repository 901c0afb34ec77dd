"""One server for most tests of the label app; they are skipped where MONAI Label is not installed."""

from collections.abc import Callable, Iterator

import pytest

from tests.label.server_process import Server, start, write_cases


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not kill it: six cases, the last one noisy."""
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    studies = tmp_path_factory.mktemp("server") / "studies"
    studies.mkdir()
    write_cases(studies, 6, noisy=1)
    running = start(studies, "--upload-limit", "2")
    yield running
    running.kill()


@pytest.fixture
def snapshot(server: Server) -> Callable[[], dict[str, int]]:
    """Return every file around the studies folder, with its time of change, but not what the server itself keeps."""

    def take() -> dict[str, int]:
        parent = server.studies.parent
        return {
            str(path): path.stat().st_mtime_ns
            for path in parent.rglob("*")
            if path.is_file() and not path.is_relative_to(server.studies / "fusion")
        }

    return take
