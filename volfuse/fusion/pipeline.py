"""The one way an image is fused: what a bundle's ``inference.json`` says, from files to a fused image."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.fusion.contributions import WithContributions
from volfuse.fusion.inferers import default_batch
from volfuse.fusion.options import FusionOptions, listed
from volfuse.fusion.slabs import FusedCase, FusedImage, WholeProgress, fuse_at_once, fuse_in_slabs
from volfuse.fusion.steps import Steps, plain_errors
from volfuse.imaging import Source, Window, color_table
from volfuse.imaging.stored import Reading
from volfuse.models import DEFAULT_MODEL, Model, find

_GREY = "none"


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
        self.network = self.model.load_network(self.device)

    def fuse(
        self,
        sources: Sequence[Source],
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> MetaTensor:
        """Fuse images; the first is the reference whose grid and frame the result has.

        Args:
            sources: paths, or images in memory that :func:`~volfuse.imaging.sources.as_image` takes, as many as the
                model takes.
            options: see :class:`FusionOptions`.
            progress: called as ``progress(slices_done, slices_in_all)``.
            should_stop: asked before every batch of slices.

        Returns:
            uint8, (1, X, Y, Z) or true-colour (3, X, Y, Z), on the reference's grid. It is a source like any other, and
            ``volfuse.save`` writes it; ``meta["notes"]`` has what a user should know.

        Raises:
            FusionError: one sentence on what is wrong with the input and what to do.
            FusionCancelled: when ``should_stop`` says so.
        """
        return self.fuse_image(sources, options, progress, should_stop).image

    def fuse_image(
        self,
        sources: Sequence[Source],
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> FusedImage:
        """Fuse as :meth:`fuse` does, and return what is to be told about the image too.

        Raises:
            FusionError: as :meth:`fuse`, or if contributions are wanted of a model that cannot tell.
        """
        return self._fuse(sources, options, progress, should_stop, kept=False)

    def fuse_case(
        self,
        sources: Sequence[Source],
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> FusedCase:
        """Fuse as :meth:`fuse_image` does, and return the luminance before and after the network too.

        It is float32, for each source and the result: of a large volume many times what its file takes.

        Raises:
            FusionError: see :meth:`fuse_image`.
        """
        return cast(FusedCase, self._fuse(sources, options, progress, should_stop, kept=True))

    def _fuse(
        self,
        sources: Sequence[Source],
        options: FusionOptions | None,
        progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
        kept: bool,
    ) -> FusedImage:
        options = options or FusionOptions()
        told = None if progress is None else WholeProgress(progress)
        steps = self.steps(len(sources), options, told, should_stop)
        if not steps.in_slabs:
            return fuse_at_once(steps, sources)
        batch_size = options.batch_size or default_batch(self.device)
        return fuse_in_slabs(steps, sources, batch_size, told, kept)

    def steps(
        self,
        num_sources: int,
        options: FusionOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Steps:
        """Return what :meth:`fuse_case` does one after another, for whoever does it by halves or many times over.

        Raises:
            FusionError: if the model does not fuse so many images, an option does not fit them, or contributions are
                wanted of a model that cannot tell.
        """
        options = options or FusionOptions()
        wanted = self.model.num_sources or max(2, num_sources)
        if num_sources != wanted:
            raise FusionError(f"{self.model.name} fuses {wanted} images, but {num_sources} are given.")
        keys = [f"source_{number}" for number in range(num_sources)]
        parser = self.model.parser(
            sources=keys,
            device=self.device,
            progress=progress,
            should_stop=should_stop,
            **_config_values(options, num_sources),
        )
        network = WithContributions(self.network, self.model.name) if options.contributions else self.network
        with plain_errors():
            return Steps(parser, keys, network)


def fuse(
    sources: Sequence[Source],
    model: str = DEFAULT_MODEL,
    options: FusionOptions | None = None,
    device: str = "auto",
) -> MetaTensor:
    """Fuse images once; see :class:`FusionPipeline`, which keeps the model for the next case."""
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


def _config_values(options: FusionOptions, num_sources: int) -> dict[str, Any]:
    """Return the options that a configuration knows by name, as objects: no text of a user but checked choices."""
    elsewhere = ("contributions", "series", "rectify", "skip_damaged")
    values = {each.name: getattr(options, each.name) for each in listed() if each.name not in elsewhere}
    windows, colormaps = list(options.windows), list(options.colormaps)
    if len(windows) == 1:
        windows *= num_sources
    if len(colormaps) == 1:
        colormaps = [None] * (num_sources - 1) + colormaps
    return values | {
        "windows": [Window.parse(window) for window in windows],
        "colormaps": [
            None if colormap in (None, _GREY) else color_table(colormap).numpy() for colormap in colormaps
        ],
        "readings": readings(options, num_sources),
    }


def readings(options: FusionOptions, num_sources: int) -> list[Reading]:
    """Return how each source is read where its file leaves a choice.

    Raises:
        FusionError: if there are series for another number of sources.
    """
    series = list(options.series)
    if len(series) == 1:
        series *= num_sources
    if len(series) != num_sources:
        raise FusionError(f"{num_sources} sources need one series or one each, not {len(series)}.")
    return [
        Reading(None if each == "auto" else each, options.rectify, options.skip_damaged) for each in series
    ]
