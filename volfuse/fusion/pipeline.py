"""The one way an image is fused: what a bundle's ``inference.json`` says, from files to a fused image."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from volfuse.errors import FusionError
from volfuse.fusion.contributions import WithContributions
from volfuse.imaging import PLANES, SaveFusedd, Window, color_table
from volfuse.imaging.grid import Plane, RestoreGridd
from volfuse.imaging.luminance import Colormap
from volfuse.models import DEFAULT_MODEL, Model, find


@dataclass(frozen=True)
class FusionOptions:
    """What a user may choose for one fusion.

    Args:
        windows: one intensity window for all sources or one each, as text (``"auto"``, ``"ct-brain"``,
            ``"W80/L40"``, ``"p1:p99"``) or ``Window``.
        colormaps: nothing, or per source ``None`` (grey), a matplotlib name or a 256x3 table.
        plane: the slices that are fused: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        batch_size: slices at a time; ``None`` chooses by device.
        mixed_precision: let a trained network compute in bfloat16 on a GPU; classical rules never do.
        contributions: also return what each source adds; see :class:`FusedCase`.
    """

    windows: str | Window | Sequence[str | Window] = "auto"
    colormaps: Sequence[Colormap | None] | None = None
    plane: Plane = "axial"
    batch_size: int | None = None
    mixed_precision: bool = True
    contributions: bool = False

    def config_values(self, num_sources: int) -> dict[str, Any]:
        """Return these options as checked values for a bundle's configuration: objects, no user text.

        Raises:
            FusionError: if an option is unknown or does not fit the number of sources.
        """
        windows = [self.windows] if isinstance(self.windows, str | Window) else list(self.windows)
        if len(windows) == 1:
            windows *= num_sources
        if self.plane not in PLANES:
            raise FusionError(f"'{self.plane}' is no slice plane; use {', '.join(PLANES)}.")
        if self.batch_size is not None and self.batch_size < 1:
            raise FusionError(f"The batch size must be 1 or more, not {self.batch_size}.")
        tables = self.colormaps and [
            None if colormap is None else color_table(colormap).numpy() for colormap in self.colormaps
        ]
        return {
            "windows": [Window.parse(window) if isinstance(window, str) else window for window in windows],
            "colormaps": tables,
            "plane": self.plane,
            "batch_size": self.batch_size,
            "mixed_precision": bool(self.mixed_precision),
        }


@dataclass(frozen=True)
class FusedCase:
    """A fused image with what it was made of.

    Attributes:
        image: uint8, (1, X, Y, Z) or true-colour (3, X, Y, Z), on the reference's grid.
        sources: luminance the network saw, (N, H, W, D), float, values 0..1.
        fused: luminance the network returned, (1, H, W, D), float, values 0..1.
        seconds: how long the steps ``"prepare"``, ``"fuse"`` and ``"restore"`` took.
        contributions: what ``fused`` is the sum of, (K, X, Y, Z), float, on the reference's grid: one map per source in
            their order, and perhaps a last one, of either sign, of what the network adds by itself. ``None`` if they
            were not asked for.
    """

    image: MetaTensor
    sources: MetaTensor
    fused: MetaTensor
    seconds: dict[str, float]
    contributions: MetaTensor | None = None


class FusionPipeline:
    """A model in memory, ready to fuse one case after another.

    Args:
        model: a name in the catalogue.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...

    Raises:
        FusionError: if there is no such model or device, or its weights are missing or damaged.
    """

    def __init__(self, model: str = DEFAULT_MODEL, device: str = "auto") -> None:
        self.model: Model = find(model)
        self.device = choose_device(device)
        self._network = self.model.load_network(self.device)

    def fuse(
        self,
        sources: Sequence[str | Path],
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> MetaTensor:
        """Fuse image files; the first is the reference whose grid and frame the result has.

        Args:
            sources: image files or DICOM folders, as many as the model takes.
            options: see :class:`FusionOptions`.
            progress: called as ``progress(slices_done, slices_in_all)``.
            should_stop: asked before every batch of slices.

        Returns:
            uint8, (1, X, Y, Z) or true-colour (3, X, Y, Z), on the reference's grid.

        Raises:
            FusionError: one sentence on what is wrong with the input and what to do.
            FusionCancelled: when ``should_stop`` says so.
        """
        return self.fuse_case(sources, options, progress, should_stop).image

    def fuse_case(
        self,
        sources: Sequence[str | Path],
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> FusedCase:
        """Fuse as :meth:`fuse` does, and return the luminance before and after the network too.

        Raises:
            FusionError: as :meth:`fuse`, or if contributions are wanted of a model that cannot tell.
        """
        options = options or FusionOptions()
        wanted = self.model.num_sources or max(2, len(sources))
        if len(sources) != wanted:
            raise FusionError(f"{self.model.name} fuses {wanted} images, but {len(sources)} are given.")
        keys = [f"source_{number}" for number in range(wanted)]
        parser = self.model.parser(
            sources=keys,
            device=self.device,
            progress=progress,
            should_stop=should_stop,
            **options.config_values(wanted),
        )
        network = (
            WithContributions(self._network, self.model.name) if options.contributions else self._network
        )
        seconds: dict[str, float] = {}
        with plain_errors():
            with timed(seconds, "prepare"):
                case = parser.get_parsed_content("preprocessing")(dict(zip(keys, sources, strict=True)))
            with timed(seconds, "fuse"):
                inferer = parser.get_parsed_content("inferer")
                returned = inferer(case["image"][None], network)[0]
                case["pred"], contributions = returned[:1], returned[1:]
            with timed(seconds, "restore"):
                restored = without_saving(parser.get_parsed_content("postprocessing"))(case)
                if options.contributions:
                    contributions = RestoreGridd("maps")({"maps": contributions})["maps"]
        return FusedCase(
            restored["pred"],
            case["image"],
            case["pred"],
            seconds,
            contributions if options.contributions else None,
        )


def fuse(
    sources: Sequence[str | Path],
    model: str = DEFAULT_MODEL,
    options: FusionOptions | None = None,
    device: str = "auto",
) -> MetaTensor:
    """Fuse image files once; see :class:`FusionPipeline`, which keeps the model for the next case."""
    return FusionPipeline(model, device).fuse(sources, options)


def choose_device(name: str) -> torch.device:
    """Return the device called ``name``; ``"auto"`` is a GPU if there is one.

    Raises:
        FusionError: if it is not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise FusionError(f"The device '{name}' is not available here; use 'auto' or 'cpu'.") from error
    return device


def without_saving(postprocessing: Compose) -> Compose:
    """Return the steps that do not write: where the result goes is the caller's matter, not the bundle's."""
    return Compose([step for step in postprocessing.transforms if not isinstance(step, SaveFusedd)])


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Write into ``seconds`` how long a step took."""
    start = perf_counter()
    yield
    seconds[step] = perf_counter() - start


@contextmanager
def plain_errors() -> Iterator[None]:
    """Let a FusionError or a MemoryError out of the RuntimeErrors that MONAI wraps around it."""
    try:
        yield
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, FusionError | MemoryError):
            if "DefaultCPUAllocator:" in str(cause):
                raise MemoryError(str(cause)) from error
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error
