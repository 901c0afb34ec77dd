import numpy as np
import pytest

from volfuse.evaluation.costs import Cost
from volfuse.evaluation.results import TaskValues
from volfuse.evaluation.tables import cost_table, html_label, latex, markdown, summary_table, tex_label
from volfuse.metrics import METRICS

VALUES = TaskValues(
    "pet_mri",
    ("1.png", "2.png"),
    ("average", "guided_filter", "net"),
    {
        "qabf": np.array([[0.5, 0.7, 0.6], [0.5, 0.7, 0.6]]),
        "nabf": np.array([[0.02, 0.02, 0.5], [0.02, 0.02, 0.5]]),
        "scd": np.array([[1.5, 1.5, -1.0], [1.5, 1.5, -1.0]]),
        "sd": np.array([[60.0, 40.0, 50.0], [61.0, 41.0, 51.0]]),
        "ms_ssim": np.full((2, 3), np.nan),
    },
)

MARKDOWN = """\
### pet_mri, 2 pairs

|  | average | guided_filter | net |
| --- | ---: | ---: | ---: |
| Q<sup>AB/F</sup> ↑ | 0.5000 [0.5000, 0.5000] | **0.7000** [0.7000, 0.7000] | <ins>0.6000</ins> [0.6000, 0.6000] |
| N<sup>AB/F</sup> ↓ | **0.0200** [0.0200, 0.0200] | **0.0200** [0.0200, 0.0200] | <ins>0.5000</ins> [0.5000, 0.5000] |
| SCD ↑ | **1.500** [1.500, 1.500] | **1.500** [1.500, 1.500] | <ins>-1.000</ins> [-1.000, -1.000] |
| SD ↑ | **60.50** [60.00, 61.00] | 40.50 [40.00, 41.00] | <ins>50.50</ins> [50.00, 51.00] |
| MS-SSIM ↑ | n/a | n/a | n/a |
"""

LATEX = r"""\begin{table*}
\caption{pet\_mri, 2 pairs}
\resizebox{\textwidth}{!}{%
\begin{tabular}{lrrr}
\toprule
 & average & guided\_filter & net \\
\midrule
SCD $\uparrow$ & \textbf{1.500} & \textbf{1.500} & \underline{$-$1.000} \\
 & {\scriptsize [1.500, 1.500]} & {\scriptsize [1.500, 1.500]} & {\scriptsize [$-$1.000, $-$1.000]} \\
N$^{\mathrm{AB/F}}$ $\downarrow$ & \textbf{0.0200} & \textbf{0.0200} & \underline{0.5000} \\
 & {\scriptsize [0.0200, 0.0200]} & {\scriptsize [0.0200, 0.0200]} & {\scriptsize [0.5000, 0.5000]} \\
MS-SSIM $\uparrow$ & n/a & n/a & n/a \\
\bottomrule
\end{tabular}}
\end{table*}
"""

COSTS = """\
### Cost of one 256x256 slice

|  | average | net |
| --- | ---: | ---: |
| Parameters ↓ | 0 | 4,365 |
| Multiply-adds, 10⁹ ↓ | n/a | 0.288 |
| Time, ms ↓ | 0.412 | 51.2 |
"""


def test_the_markdown_table() -> None:
    table = summary_table(VALUES, [METRICS[name] for name in ("qabf", "nabf", "scd", "sd", "ms_ssim")])
    assert markdown(table) == MARKDOWN


def test_the_latex_table() -> None:
    assert latex(summary_table(VALUES, [METRICS[name] for name in ("scd", "nabf", "ms_ssim")])) == LATEX


def test_the_table_of_costs() -> None:
    table = cost_table({"average": Cost(0, None, 0.000412), "net": Cost(4365, 288_000_000, 0.0512)})
    assert markdown(table) == COSTS
    assert "Multiply-adds, $10^9$" in latex(table) and "scriptsize" not in latex(table)


def test_one_pair_has_no_interval_and_models_that_read_the_same_no_emphasis() -> None:
    values = TaskValues("t", ("1.png",), ("a", "b"), {"en": np.array([[5.00001, 5.00002]])})
    assert markdown(summary_table(values, [METRICS["en"]])).splitlines()[-1] == "| EN ↑ | 5.000 | 5.000 |"


@pytest.mark.parametrize(
    ("label", "html", "tex"),
    [
        ("EN", "EN", "EN"),
        ("Q^AB/F", "Q<sup>AB/F</sup>", r"Q$^{\mathrm{AB/F}}$"),
        ("Q_NCIE", "Q<sub>NCIE</sub>", r"Q$_{\mathrm{NCIE}}$"),
        ("SSIM (source 0)", "SSIM (source 0)", "SSIM (source 0)"),
    ],
)
def test_labels_have_their_scripts(label: str, html: str, tex: str) -> None:
    assert (html_label(label), tex_label(label)) == (html, tex)
