"""The section Server of the panel: connects its widgets to the logic, and computes nothing."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import qt

from SlicerFusionLib.label_logic import LabelLogic
from SlicerFusionLib.reading_tools import ReadingTools
from SlicerFusionLib.status_line import show_status

_POLL_MILLISECONDS = 200
_PREFER = "Prefer"
_WITHOUT_IMAGE = {"Skip": "skip", "Cannot judge": "cannot_judge"}
_VERDICTS = {"Accept": "accept", "Reject": "reject", _PREFER: "prefer", **_WITHOUT_IMAGE}


class LabelPanel:
    """Connect, next case, verdict, submit, train.

    URL and token are not saved: a scene is shared with others, and they would open every scan on the server.

    Args:
        ui: the widgets by name.
        logic: works with the server.
        tools: arranges the slice views.
    """

    def __init__(
        self, ui: SimpleNamespace, logic: LabelLogic | None = None, tools: ReadingTools | None = None
    ) -> None:
        self._ui = ui
        self.logic = logic or LabelLogic()
        self._tools = tools or ReadingTools()
        self._shown_case = ""
        self._offered: tuple[tuple[str, ...], ...] = ()
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._poll)
        ui.verdictComboBox.clear()
        ui.verdictComboBox.addItems(list(_VERDICTS))
        ui.verdictComboBox.connect("currentIndexChanged(int)", self._update)
        for button, react in (
            (ui.connectButton, self._connect),
            (ui.nextCaseButton, self._next_case),
            (ui.submitButton, self._submit),
            (ui.scoreButton, self._score),
            (ui.trainButton, self._train),
        ):
            button.connect("clicked(bool)", react)
        self._update()

    def close_scene(self) -> None:
        """Close the case, whose volumes are in a scene that closes."""
        self.logic.close_case()
        self._shown_case = ""
        self._tools.close_scene()
        self._update()

    def close(self) -> None:
        """Stop the timer and close the logic."""
        self._timer.stop()
        self.logic.close()

    def verdict(self) -> dict[str, Any]:
        """Return what the widgets say, as the server wants it."""
        ui = self._ui
        decision = _VERDICTS[ui.verdictComboBox.currentText]
        if decision in _WITHOUT_IMAGE.values():
            reason = ui.commentEdit.text or ui.verdictComboBox.currentText
            return {"verdict": decision, "reason": reason, "reader": ui.readerEdit.text}
        return {
            "verdict": decision,
            "model": self.logic.judged_model,
            "preferred_model": ui.preferredModelComboBox.currentText if decision == "prefer" else None,
            "rating": ui.ratingSpinBox.value or None,
            "comment": ui.commentEdit.text,
            "reader": ui.readerEdit.text,
        }

    def _connect(self, *_: object) -> None:
        self._start(lambda: self.logic.connect(self._ui.serverUrlEdit.text, self._ui.serverTokenEdit.text))

    def _next_case(self, *_: object) -> None:
        ui = self._ui
        self._start(
            lambda: self.logic.next_case(
                ui.strategyComboBox.currentText, ui.serverModelComboBox.currentText, ui.readerEdit.text
            )
        )

    def _submit(self, *_: object) -> None:
        self._start(lambda: self.logic.submit(self.verdict()))

    def _score(self, *_: object) -> None:
        self._start(self.logic.score)

    def _train(self, *_: object) -> None:
        model = self._ui.serverModelComboBox.currentText
        self._start(lambda: self.logic.train(model, self._ui.readerEdit.text))

    def _start(self, step: Callable[[], None]) -> None:
        step()
        self._timer.start()
        self._update()

    def _poll(self) -> None:
        self.logic.poll()
        if not self.logic.busy:
            self._timer.stop()
        if self.logic.case != self._shown_case:
            self._shown_case = self.logic.case
            self._ui.ratingSpinBox.value = 0
            self._ui.commentEdit.text = ""
            if self.logic.volumes:
                self._tools.show(self.logic.volumes)
        self._update()

    def _update(self, *_: object) -> None:
        ui, logic = self._ui, self.logic
        self._offer()
        is_connected, is_free = bool(logic.info), not logic.busy
        ui.connectButton.setEnabled(not logic.waits)
        ui.nextCaseButton.setEnabled(is_connected and is_free)
        ui.scoreButton.setEnabled(is_connected and is_free)
        trains = ui.serverModelComboBox.currentText in logic.info.get("trainers", {})
        ui.trainButton.setEnabled(is_connected and is_free and trains)
        ui.verdictFrame.setEnabled(bool(logic.case) and is_free)
        ui.preferredModelComboBox.setEnabled(ui.verdictComboBox.currentText == _PREFER)
        show_status(logic.status, ui.serverStatusLabel, ui.serverProgressBar, is_busy=logic.busy)

    def _offer(self) -> None:
        """Fill the lists with what the server offers, if that has changed."""
        offered = tuple(tuple(self.logic.info.get(kind, ())) for kind in ("strategies", "models"))
        if offered == self._offered:
            return
        self._offered = offered
        ui = self._ui
        for box, names in (
            (ui.strategyComboBox, offered[0]),
            (ui.serverModelComboBox, offered[1]),
            (ui.preferredModelComboBox, offered[1]),
        ):
            chosen = box.currentText
            box.clear()
            box.addItems(list(names))
            if chosen in names:
                box.setCurrentIndex(names.index(chosen))
