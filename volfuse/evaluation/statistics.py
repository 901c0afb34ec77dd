"""Whether models differ by more than chance, and how sure a mean is.

The tests are those of the CSAFusion paper: Shapiro-Wilk decides between repeated-measures ANOVA with paired
t-tests and Friedman's test with Wilcoxon's signed-rank test; Bonferroni's correction; two-sided throughout.
"""

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

ALPHA = 0.05
# The Shapiro-Wilk test is defined from three values on.
FEWEST_PAIRS = 3
_RESAMPLES = 5000
_SEED = 20240229


@dataclass(frozen=True)
class TestResult:
    """One hypothesis test.

    Attributes:
        test: its name.
        first: a model that it compares, or whose values it calls normal; empty for all models.
        second: the model that it compares ``first`` with; empty for all models and for normality.
        statistic: W, F, chi squared, t or the sum of ranks.
        p: two-sided.
        adjusted: ``p`` after Bonferroni's correction where it is one of many comparisons.
    """

    __test__ = False  # no class of tests, whatever pytest makes of its name

    test: str
    first: str
    second: str
    statistic: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class Analysis:
    """The whole procedure on one metric.

    Attributes:
        normality: Shapiro-Wilk for each model.
        overall: the test of all models together; ``None`` for two models, where it would say the same as
            their comparison.
        comparisons: every pair of models.
    """

    normality: tuple[TestResult, ...]
    overall: TestResult | None
    comparisons: tuple[TestResult, ...]

    def indistinguishable(self, model: str) -> list[str]:
        """Return the other models whose difference from ``model`` may be chance."""
        return [
            other
            for each in self.comparisons
            for other in {each.first, each.second} - {model}
            if model in (each.first, each.second) and each.adjusted >= ALPHA
        ]


def analyse(values: np.ndarray, models: tuple[str, ...]) -> Analysis:
    """Compare models on the same images.

    Args:
        values: (images, models), finite, at least ``FEWEST_PAIRS`` images and two models.
        models: their names.
    """
    with warnings.catch_warnings():
        # scipy warns where p is only nearly exact: more than 5000 images, or the same difference in each.
        warnings.simplefilter("ignore")
        return _analyse(values, models)


def repeated_measures_anova(values: np.ndarray) -> tuple[float, float]:
    """F and p of (images, models), with the degrees of freedom corrected for unequal variances of differences.

    Greenhouse and Geisser 1959: without their epsilon the test finds differences too easily, because models
    of one kind (two pyramids, two means) vary together.
    """
    images, models = values.shape
    if not np.ptp(values, axis=1).any():
        return 0.0, 1.0
    centred = values - values.mean(axis=1, keepdims=True)
    effect = centred.mean(axis=0)
    covariance = np.cov(centred, rowvar=False)
    epsilon = np.trace(covariance) ** 2 / ((models - 1) * (covariance**2).sum())
    freedom = models - 1, (models - 1) * (images - 1)
    f = (images * (effect**2).sum() / freedom[0]) / (((centred - effect) ** 2).sum() / freedom[1])
    return float(f), float(stats.f.sf(f, epsilon * freedom[0], epsilon * freedom[1]))


def friedman(values: np.ndarray) -> tuple[float, float]:
    """Friedman's chi squared and p of (images, models), at least three models; corrected for ties."""
    if not np.ptp(values, axis=1).any():
        return 0.0, 1.0
    result = stats.friedmanchisquare(*values.T)
    return float(result.statistic), float(result.pvalue)


def paired_t(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Student's t and p; equal values differ by nothing, p = 1."""
    if not (first - second).any():
        return 0.0, 1.0
    result = stats.ttest_rel(first, second)
    return float(result.statistic), float(result.pvalue)


def wilcoxon(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Wilcoxon's signed-rank statistic and p; equal values differ by nothing, p = 1."""
    if not (first - second).any():
        return 0.0, 1.0
    result = stats.wilcoxon(first - second)
    return float(result.statistic), float(result.pvalue)


def average_ranks(values: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Mean rank of each model over (images, models); 1 is best, ties share their ranks."""
    ranks: np.ndarray = stats.rankdata(-values if higher_is_better else values, axis=1).mean(axis=0)
    return ranks


def critical_difference(images: int, models: int) -> float:
    """By how much average ranks must differ at the level ``ALPHA``: Nemenyi's test, Demsar 2006, section 3.2.2."""
    q = stats.studentized_range.ppf(1 - ALPHA, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * images)))


def mean_interval(values: np.ndarray) -> np.ndarray:
    """95 % percentile bootstrap intervals (Efron 1979) of the mean over images.

    Args:
        values: (images, models). All models see the same resampled images.

    Returns:
        (2, models): lower and upper ends; equal to the value for a single image.
    """
    images = len(values)
    # How often each image is drawn: all resampled means are then one matrix product.
    counts = np.random.default_rng(_SEED).multinomial(images, np.full(images, 1 / images), size=_RESAMPLES)
    ends: np.ndarray = np.percentile(counts @ values / images, [2.5, 97.5], axis=0)
    return ends


def _analyse(values: np.ndarray, models: tuple[str, ...]) -> Analysis:
    normality = tuple(
        TestResult("Shapiro-Wilk", name, "", *_shapiro(column))
        for name, column in zip(models, values.T, strict=True)
    )
    is_normal = all(each.p > ALPHA for each in normality)
    overall = None
    if len(models) > 2:
        name, test_all = ("ANOVA", repeated_measures_anova) if is_normal else ("Friedman", friedman)
        statistic, p = test_all(values)
        overall = TestResult(name, "", "", statistic, p, p)
    name, test_two = ("paired t", paired_t) if is_normal else ("Wilcoxon", wilcoxon)
    indices = list(combinations(range(len(models)), 2))
    comparisons = []
    for first, second in indices:
        statistic, p = test_two(values[:, first], values[:, second])
        adjusted = min(1.0, p * len(indices))
        comparisons.append(TestResult(name, models[first], models[second], statistic, p, adjusted))
    return Analysis(normality, overall, tuple(comparisons))


def _shapiro(column: np.ndarray) -> tuple[float, float, float]:
    """W and p (twice, there is no correction); values that are all the same are not normal."""
    if not np.ptp(column):
        return 0.0, 0.0, 0.0
    result = stats.shapiro(column)
    return float(result.statistic), float(result.pvalue), float(result.pvalue)
