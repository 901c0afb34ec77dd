"""Stratified cross-validation of a linear classifier, with the measures that papers print."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from volfuse.errors import FusionError, missing_package

try:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import (
        accuracy_score,
        matthews_corrcoef,
        precision_recall_fscore_support,
        roc_auc_score,
    )
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ModuleNotFoundError as error:
    raise missing_package(error.name, "downstream") from error


@dataclass(frozen=True)
class Scores:
    """How well the test cases of one fold were classified, each 0..1 (MCC -1..1).

    Attributes:
        accuracy: share of cases in the right class.
        precision: mean over the classes.
        recall: mean over the classes.
        f1: mean over the classes.
        auc: area under the ROC curve; with more than two classes the mean of each against the rest.
        mcc: Matthews correlation coefficient; 0 is chance.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    auc: float
    mcc: float


def cross_validate(
    descriptors: np.ndarray, labels: Sequence[str], folds: int = 5, seed: int = 0
) -> list[Scores]:
    """Train on all folds but one and test on that one, for every fold.

    Logistic regression on standardised descriptors. The folds depend on labels and seed alone: two sets of
    descriptors of the same cases are compared fold by fold.

    Args:
        descriptors: (cases, numbers per case).
        labels: the class of every case.
        folds: number of folds, each with the classes in the same proportion.
        seed: of the assignment to folds.

    Returns:
        The scores of every fold.

    Raises:
        FusionError: if a class has fewer cases than there are folds.
    """
    names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < folds:
        raise FusionError(
            f"Class '{names[counts.argmin()]}' has {counts.min()} cases, but {folds} folds need {folds} or more."
        )
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = []
    for train, test in splitter.split(descriptors, classes):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        classifier.fit(descriptors[train], classes[train])
        scores.append(_score(classes[test], classifier.predict_proba(descriptors[test])))
    return scores


def mean_and_deviation(scores: Sequence[Scores]) -> dict[str, tuple[float, float]]:
    """Return the mean and the standard deviation over the folds, by measure."""
    values = np.array([astuple(score) for score in scores])
    means, deviations = values.mean(axis=0).tolist(), values.std(axis=0, ddof=1).tolist()
    names = [field.name for field in fields(Scores)]
    return dict(zip(names, zip(means, deviations, strict=True), strict=True))


def _score(classes: np.ndarray, probabilities: np.ndarray) -> Scores:
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        classes, predicted, average="macro", zero_division=0
    )
    two = probabilities.shape[1] == 2
    auc = roc_auc_score(classes, probabilities[:, 1] if two else probabilities, multi_class="ovr")
    return Scores(
        accuracy=float(accuracy_score(classes, predicted)),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        auc=float(auc),
        mcc=float(matthews_corrcoef(classes, predicted)),
    )
