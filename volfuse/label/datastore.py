"""MONAI Label's view of a folder of cases with two scans each. The files are the state; there is no index to break."""

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException

from volfuse.label.cases import CaseFiles, find_cases, suffix_of
from volfuse.label.comparisons import Comparisons
from volfuse.label.errors import Damaged, NotFound
from volfuse.label.files import link_or_copy, own, write_own
from volfuse.label.hold_out import hold_out
from volfuse.label.layout import Layout
from volfuse.label.leases import Leases
from volfuse.label.records import damaged, read_record
from volfuse.label.verdicts import Verdict, VerdictStore

FINAL: Final = "final"
"""The tag of what a reader chose. Other tags are names of models; "original" would be a segmentation to Slicer."""

SCORED: Final = "scored"
"""Under what the scoring stores what its scores were made of, which is no news for clients."""


class PairedDatastore(Datastore):
    """Cases of two scans each, fused images by model, verdicts.

    Args:
        layout: where everything lies.
        modalities: see :func:`volfuse.label.cases.find_cases`.
    """

    def __init__(self, layout: Layout, modalities: tuple[str, str]) -> None:
        self.layout = layout
        self.modalities = modalities
        self.verdicts = VerdictStore(layout.verdicts)
        self.comparisons = Comparisons(layout.comparisons)
        self.leases = Leases(layout.leases)
        self._lock = threading.Lock()

    def pair(self, case: str) -> CaseFiles:
        """Return the two scans of a case.

        Raises:
            NotFound: if there is no such case.
        """
        cases = find_cases(self.layout.studies, self.modalities, case)
        if case not in cases:
            raise NotFound("There is no such case; ask /datastore/ for the list.")
        return cases[case]

    def held_out(self) -> set[str]:
        """Return the cases that are never trained on.

        Raises:
            Damaged: if the list of them cannot be read.
        """
        return hold_out(self.layout.hold_out, self.list_images(), self.verdicts.seen())

    def name(self) -> str:
        return "Pairs of scans"

    def set_name(self, name: str) -> None:
        raise _refused("The datastore cannot be renamed.")

    def description(self) -> str:
        return f"Cases of two scans: {' and '.join(self.modalities)}"

    def set_description(self, description: str) -> None:
        raise _refused("The description of the datastore cannot be changed.")

    def list_images(self) -> list[str]:
        return list(find_cases(self.layout.studies, self.modalities))

    def get_image(self, image_id: str, params: Any = None) -> str:
        return self.get_image_uri(image_id)

    def get_image_uri(self, image_id: str) -> str:
        return str(self.pair(image_id).reference)

    def get_second_uri(self, image_id: str) -> str:
        """Return the path of the second scan."""
        return str(self.pair(image_id).second)

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Return file names, what the scoring found, what the last verdict says, and which files are damaged."""
        return self._info(self.pair(image_id), self.verdicts.last(image_id))

    def _info(self, pair: CaseFiles, verdict: Verdict | None) -> dict[str, Any]:
        scores, damaged = {}, self.verdicts.faults(pair.name)
        try:
            scores = self._stored_scores(pair.name)
        except Damaged as error:
            damaged.append(str(error))
        return {
            "name": pair.reference.name,
            "second": pair.second.name,
            "verdict": verdict.verdict if verdict else None,
            **{name: value for name, value in scores.items() if name != SCORED},
            **({"damaged": damaged} if damaged else {}),
        }

    def scores(self, image_id: str) -> dict[str, Any]:
        """Return what the scoring stored of a case; nothing if it cannot be read, for it can be measured again."""
        with suppress(Damaged):
            return self._stored_scores(image_id)
        return {}

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Store scores of a case beside those it has."""
        self.pair(image_id)
        with self._lock:
            text = json.dumps(self.scores(image_id) | info)
            write_own(self.layout.scores / f"{image_id}.json", text)

    def get_labels_by_image_id(self, image_id: str) -> dict[str, str]:
        """Return the tags under which there is an image of this case."""
        tags = list(self._images(image_id).get(image_id, ()))
        if self.verdicts.last_image(image_id):
            tags.append(FINAL)
        return dict.fromkeys(sorted(tags), image_id)

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        return self.get_labels_by_image_id(image_id).get(tag, "")

    def get_label(self, label_id: str, label_tag: str, params: Any = None) -> str:
        return self.get_label_uri(label_id, label_tag)

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Return the path of a fused image: that of a model, or under ``final`` what the last reader chose.

        Raises:
            NotFound: if there is none.
        """
        if label_tag not in self.get_labels_by_image_id(self.pair(label_id).name):
            raise NotFound("There is no fused image of this case under this tag; fuse it first.")
        if label_tag == FINAL:
            return str(self.verdicts.last_image(label_id))
        return str(own(self._images(label_id)[label_id][label_tag]))

    def _images(self, case: str = "*") -> dict[str, dict[str, Path]]:
        """Return the fused images that models made, by case and model."""
        images: dict[str, dict[str, Path]] = {}
        for path in sorted(self.layout.images.glob(f"*/{case}.*")):
            if suffix := suffix_of(path.name):
                images.setdefault(path.name.removesuffix(suffix), {})[path.parent.name] = path
        return images

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Return the last verdict on a case under ``final``, else nothing."""
        verdict = self.verdicts.last(self.pair(label_id).name) if label_tag == FINAL else None
        return {"params": vars(verdict)} if verdict else {}

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        reviewed = self.verdicts.reviewed()
        return [case for case in self.list_images() if case in reviewed]

    def get_unlabeled_images(
        self, label_tag: str | None = None, labels: list[str] | None = None
    ) -> list[str]:
        reviewed = self.verdicts.reviewed()
        return [case for case in self.list_images() if case not in reviewed]

    def datalist(self) -> list[dict[str, str]]:
        """Return the scans and the chosen image of the reviewed cases."""
        return [
            {
                "image": self.get_image_uri(case),
                "second": self.get_second_uri(case),
                "label": str(self.verdicts.last_image(case) or ""),
            }
            for case in self.get_labeled_images()
        ]

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Keep a fused image of a model. Verdicts come in through ``verdicts``."""
        self.pair(image_id)
        target = self.layout.images / label_tag / f"{image_id}{suffix_of(label_filename)}"
        write_own(target, lambda partial: link_or_copy(Path(label_filename), partial))
        return image_id

    def status(self) -> dict[str, Any]:
        """Return how far readers are. Cases that are held out from them do not count, unless they were judged."""
        reviewed = self.get_labeled_images()
        not_proposed: set[str] = set()
        with suppress(Damaged):
            not_proposed = self.held_out().difference(reviewed)
        return {
            "total": len(self.list_images()) - len(not_proposed),
            "completed": len(reviewed),
            "label_tags": {FINAL: len(reviewed)},
            "train": [],
        }

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name(),
            "description": self.description(),
            "objects": self._objects(),
        }

    def _objects(self) -> dict[str, Any]:
        """Return every case; each folder and each verdict is read once."""
        images, judged = self._images(), self.verdicts.seen()
        objects: dict[str, Any] = {}
        for case, pair in find_cases(self.layout.studies, self.modalities).items():
            verdict = self.verdicts.last(case) if case in judged else None
            labels: dict[str, Any] = {tag: {"info": {}} for tag in sorted(images.get(case, {}))}
            if verdict and verdict.image:
                labels[FINAL] = {"info": {"params": vars(verdict)}}
            objects[case] = {"image": {"info": self._info(pair, verdict)}, "labels": labels}
        return objects

    def _stored_scores(self, image_id: str) -> dict[str, Any]:
        path = self.layout.scores / f"{image_id}.json"
        scores: dict[str, Any] = read_record(path) if path.is_file() else {}
        expected = {"quality": dict, "disagreement": float, "appearance": list}
        if not all(isinstance(scores[name], kind) for name, kind in expected.items() if name in scores):
            raise damaged(path)
        return scores

    def refresh(self) -> None:
        """Nothing to do: every answer is read from the disk."""

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        raise _refused("Whole datasets are not handed out; copy the studies folder.")

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        raise _refused("Scans come into the studies folder by hand; for one fusion, open a session.")

    def remove_image(self, image_id: str) -> None:
        raise _refused("The server removes no scans.")

    def remove_label(self, label_id: str, label_tag: str) -> None:
        raise _refused("The server removes no verdicts.")

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        raise _refused("Verdicts are not changed; give another one.")


def paired(datastore: Datastore) -> PairedDatastore:
    """Return the datastore that MONAI Label hands to a task as what it is here.

    Raises:
        TypeError: if it is another.
    """
    if not isinstance(datastore, PairedDatastore):
        raise TypeError(f"a datastore of pairs is needed, not a {type(datastore).__name__}")
    return datastore


def _refused(sentence: str) -> MONAILabelException:
    return MONAILabelException(MONAILabelError.INVALID_INPUT, sentence)
