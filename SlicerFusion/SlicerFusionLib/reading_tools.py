"""Show sources and fused volumes in the slice views: blended, as a checkerboard, or side by side."""

from collections.abc import Iterator, Sequence

import slicer

from SlicerFusionLib.checkerboard import checkerboard
from SlicerFusionLib.swipe import Swipe

_FUSED_LAYER = 3  # the first of the layers over background, foreground and labels
_OVERLAY_OPACITY = 0.5
_FIRST_LAYOUT = 5200  # with the number of views added, a number that no layout of Slicer has
_FORMER_LAYOUT = "SlicerFusion.FormerLayout"
_COLUMNS = 3


class ReadingTools:
    """Arranges the slice views; the scene is its only state besides the hidden volumes it made.

    Every slice view has the reference in the background, the second volume half transparent over it, and the
    fused volume, or the part of it that swipe shows, over both. The opacity of the last blends from the overlay to
    the fused volume.
    """

    def __init__(self) -> None:
        self._board: slicer.vtkMRMLVectorVolumeNode | None = None
        self._swipe = Swipe()

    def show(
        self, volumes: Sequence[slicer.vtkMRMLVolumeNode], blend: float = 1.0, swipe: float = 1.0
    ) -> None:
        """Show volumes over each other in all slice views, in the layout that was there before a comparison.

        A view that shows something keeps its place, its zoom and its links; an empty one is fitted and linked.

        Args:
            volumes: the reference, the second volume and the fused one, or only the last of these or first two.
            blend: the opacity of the fused volume over the other two.
            swipe: the part of it that is there, from the left.
        """
        _leave_side_by_side()
        for view in _views():
            _fill(view, *volumes, blend=blend)
        self.set_swipe(volumes[-1], swipe)
        self._remove_board()

    def set_blend(self, blend: float) -> None:
        """Blend from the overlay (0) to the fused volume (1) in every slice view that shows both."""
        for view in _views():
            if view.GetNthLayerVolumeID(_FUSED_LAYER):
                view.SetNthLayerOpacity(_FUSED_LAYER, blend)

    def set_swipe(self, fused: slicer.vtkMRMLVolumeNode, swipe: float) -> None:
        """Show the left part of the fused volume (1 for all of it) in every slice view that shows it over others."""
        for view in _views():
            if view.GetNthLayerVolumeID(_FUSED_LAYER):
                view.SetNthLayerVolumeID(_FUSED_LAYER, self._swipe.cut(fused, _slices(view), swipe).GetID())
        if swipe >= 1:
            self.remove_swipe()

    def remove_swipe(self) -> None:
        """Take away the part of a fused volume that :meth:`set_swipe` shows."""
        self._swipe.remove()

    def show_checkerboard(
        self, reference: slicer.vtkMRMLVolumeNode, second: slicer.vtkMRMLVolumeNode
    ) -> None:
        """Show both sources in alternating blocks in all slice views."""
        old, self._board = self._board, checkerboard(reference, second)
        for view in _views():
            _fill(view, self._board)
        if old is not None:
            slicer.mrmlScene.RemoveNode(old)

    def show_side_by_side(
        self, sources: Sequence[slicer.vtkMRMLVolumeNode], fused: Sequence[slicer.vtkMRMLVolumeNode]
    ) -> None:
        """Show the overlay of the sources and each fused volume in an axial slice view of its own.

        New views take the place of the first view that shows something; :meth:`show` brings the former layout back.
        """
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        place = _first_place()
        names = [f"Fusion{number}" for number in range(len(fused) + 1)]
        if not _is_side_by_side(layout):
            layout.SetAttribute(_FORMER_LAYOUT, str(layout.GetViewArrangement()))
        layout.AddLayoutDescription(_FIRST_LAYOUT + len(names), _layout(names))
        layout.SetViewArrangement(_FIRST_LAYOUT + len(names))
        views = {view.GetLayoutName(): view for view in _views()}
        for name, volumes in zip(names, [sources, *([volume] for volume in fused)], strict=True):
            _fill(views[name], *volumes)
            if place:
                _take(views[name], place)
        self._remove_board()

    def close_scene(self) -> None:
        """Release the nodes of a scene that closes."""
        self._board = None
        self._swipe.close_scene()

    def _remove_board(self) -> None:
        if self._board is not None:
            slicer.mrmlScene.RemoveNode(self._board)
            self._board = None


def _views() -> Iterator[slicer.vtkMRMLSliceCompositeNode]:
    for index in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        yield slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")


def _slices(view: slicer.vtkMRMLSliceCompositeNode) -> slicer.vtkMRMLSliceNode:
    return slicer.mrmlScene.GetSingletonNode(view.GetLayoutName(), "vtkMRMLSliceNode")


def _is_side_by_side(layout: slicer.vtkMRMLLayoutNode) -> bool:
    return "Fusion0" in (layout.GetLayoutDescription(layout.GetViewArrangement()) or "")


def _leave_side_by_side() -> None:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout and _is_side_by_side(layout) and (former := layout.GetAttribute(_FORMER_LAYOUT)):
        layout.SetViewArrangement(int(former))


def _first_place() -> slicer.vtkMRMLSliceNode | None:
    """Return where the first view that shows a volume is."""
    return next((_slices(view) for view in _views() if view.GetBackgroundVolumeID()), None)


def _take(view: slicer.vtkMRMLSliceCompositeNode, place: slicer.vtkMRMLSliceNode) -> None:
    """Put a view where another one is, with its zoom: as many millimetres along the shorter edge."""
    slices = _slices(view)
    if slices.GetID() == place.GetID():
        return
    slices.GetSliceToRAS().DeepCopy(place.GetSliceToRAS())
    columns, rows, _ = slices.GetDimensions()
    pixel = min(place.GetFieldOfView()[:2]) / min(columns, rows)
    slices.SetFieldOfView(pixel * columns, pixel * rows, place.GetFieldOfView()[2])
    slices.UpdateMatrices()


def _fit(view: slicer.vtkMRMLSliceCompositeNode) -> None:
    logics = slicer.app.applicationLogic().GetSliceLogics()
    for number in range(logics.GetNumberOfItems()):
        logic = logics.GetItemAsObject(number)
        if logic.GetSliceCompositeNode().GetID() == view.GetID():
            logic.FitSliceToAll(*logic.GetSliceNode().GetDimensions()[:2])
            logic.GetSliceNode().UpdateMatrices()


def _fill(
    view: slicer.vtkMRMLSliceCompositeNode,
    background: slicer.vtkMRMLVolumeNode,
    foreground: slicer.vtkMRMLVolumeNode | None = None,
    fused: slicer.vtkMRMLVolumeNode | None = None,
    *,
    blend: float = 1.0,
) -> None:
    is_empty = not view.GetBackgroundVolumeID()
    view.SetBackgroundVolumeID(background.GetID())
    view.SetForegroundVolumeID(foreground.GetID() if foreground else None)
    view.SetForegroundOpacity(_OVERLAY_OPACITY)
    view.SetNthLayerVolumeID(_FUSED_LAYER, fused.GetID() if fused else None)
    if fused:
        view.SetNthLayerOpacity(_FUSED_LAYER, blend)
    if is_empty:
        view.SetLinkedControl(True)
        view.SetHotLinkedControl(True)
        _fit(view)


def _layout(names: Sequence[str]) -> str:
    rows = [names[start : start + _COLUMNS] for start in range(0, len(names), _COLUMNS)]
    return _split("vertical", [_split("horizontal", [_view(name) for name in row]) for row in rows])


def _split(direction: str, parts: Sequence[str]) -> str:
    items = "".join(f"<item>{part}</item>" for part in parts)
    return f'<layout type="{direction}" split="true">{items}</layout>'


def _view(name: str) -> str:
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{name}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{name.removeprefix("Fusion")}</property>'
        '<property name="viewcolor" action="default">#808080</property>'
        "</view>"
    )
