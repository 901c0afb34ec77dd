"""Where the server keeps what it writes: one folder beside the scans, which it never changes."""

from dataclasses import dataclass
from pathlib import Path

HOME = "fusion"
"""The folder in which everything is that the server writes."""


@dataclass(frozen=True)
class Layout:
    """The folders of one server.

    Args:
        studies: the folder with the scans.
    """

    studies: Path

    def __post_init__(self) -> None:
        """Go to the real folder, so that a path below it shows every link on its way."""
        object.__setattr__(self, "studies", self.studies.resolve())

    @property
    def home(self) -> Path:
        """Everything the server writes."""
        return self.studies / HOME

    @property
    def images(self) -> Path:
        """Fused images by model and case."""
        return self.home / "images"

    @property
    def verdicts(self) -> Path:
        """What readers said."""
        return self.home / "verdicts"

    @property
    def scores(self) -> Path:
        """What is known of each case."""
        return self.home / "scores"

    @property
    def comparisons(self) -> Path:
        """What readers said of two images side by side."""
        return self.home / "comparisons"

    @property
    def leases(self) -> Path:
        """Who is reading what."""
        return self.home / "leases"

    @property
    def readers(self) -> Path:
        """The readers, and the hashes of their tokens."""
        return self.home / "readers" / "tokens.json"

    @property
    def audit(self) -> Path:
        """Who did what."""
        return self.home / "audit.jsonl"

    @property
    def rounds(self) -> Path:
        """Records of training."""
        return self.home / "rounds"

    @property
    def models(self) -> Path:
        """Bundles with weights of this server."""
        return self.home / "models"

    @property
    def sessions(self) -> Path:
        """Scans that clients have uploaded; they expire."""
        return self.home / "sessions"

    @property
    def scratch(self) -> Path:
        """Files of requests that are being answered."""
        return self.home / "scratch"

    @property
    def shown(self) -> Path:
        """Fused images that readers are looking at; see :class:`volfuse.label.shown.ShownFusions`."""
        return self.home / "shown"

    @property
    def workers(self) -> Path:
        """Folders of the processes that fuse."""
        return self.home / "workers"

    @property
    def of_one_run(self) -> tuple[Path, ...]:
        """What the next start of the server does not need."""
        return self.scratch, self.shown, self.workers

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder the server writes to."""
        kept = (self.images, self.verdicts, self.scores, self.leases, self.rounds, self.models)
        more = (self.comparisons, self.readers.parent, self.sessions)
        return self.home, *kept, *more, *self.of_one_run

    @property
    def hold_out(self) -> Path:
        """The list of cases that are never trained on."""
        return self.home / "hold_out.json"
