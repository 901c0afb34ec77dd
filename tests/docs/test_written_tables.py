"""Every table of numbers is made from a CSV."""

import re
from pathlib import Path

import pytest
import write_tables
from write_tables import ROOT, TABLE, TableError, pages, refresh

from volfuse.models import find

NUMBER = re.compile(r"[*<>+-]*\d*\.\d+[*%]*( ± [\d.]+)?")


@pytest.fixture
def csv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models on two tasks, one value missing."""
    monkeypatch.setattr(write_tables, "ROOT", tmp_path)
    (tmp_path / "values.csv").write_text(
        "task,model,metric,mean,low\n"
        "ct_mri,average,qabf,0.3715,0.30\n"
        "ct_mri,maximum,qabf,0.6281,0.60\n"
        "pet_mri,maximum,qabf,0.71,0.70\n"
        "ct_mri,average,nabf,0.00004,0\n"
        "ct_mri,maximum,nabf,0.0009,0\n"
    )
    return tmp_path / "values.csv"


def lines(request: str) -> list[str]:
    """Return the rows of one table, without its comments."""
    page = refresh(f"<!-- table: {request} -->\n<!-- /table -->")
    return [line for line in page.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_are_what_their_csvs_say(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == refresh(page.read_text(encoding="utf-8")), (
        "run: python docs/write_tables.py"
    )


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_number_is_typed_into_a_table(page: Path) -> None:
    typed = [
        line
        for line in TABLE.sub("", page.read_text(encoding="utf-8")).splitlines()
        if line.startswith("|") and any(NUMBER.fullmatch(cell.strip()) for cell in line.split("|"))
    ]
    assert typed == []


def test_what_a_model_keeps_of_a_lesion_stands_in_words() -> None:
    page = refresh("It <!-- kept: average -->\nsomething old\n<!-- /kept --> all.")
    assert page == f"It <!-- kept: average -->\n{find('average').kept}\n<!-- /kept --> all."


@pytest.mark.parametrize("folder", ["results", "research"])
def test_every_csv_is_explained(folder: str) -> None:
    told = "".join(page.read_text(encoding="utf-8") for page in (ROOT / folder).glob("*.md"))
    assert [path.name for path in (ROOT / folder).glob("*.csv") if path.name not in told] == []


def test_rows_and_columns_come_in_the_wanted_order(csv_file: Path) -> None:
    assert lines("values.csv show=model across=metric cell={mean} task=ct_mri model=maximum,average") == [
        "| model | Q^AB/F | N^AB/F ↓ |",
        "| --- | ---: | ---: |",
        "| maximum | 0.628 | 0.0009 |",
        "| average | 0.371 | 0.0000 |",
    ]


def test_a_value_that_was_not_measured_leaves_its_cell_empty(csv_file: Path) -> None:
    request = "values.csv 'show=model,task' across=metric 'cell={mean} from {low}' metric=nabf,qabf"
    assert lines(request)[-1] == "| maximum | PET-MRI |  | 0.710 from 0.700 |".replace("710", "71").replace(
        "700", "70"
    )


def test_columns_with_one_value_are_left_out(csv_file: Path) -> None:
    assert lines("values.csv task=pet_mri")[0] == "| model | metric | mean | low |"


def test_several_files_make_one_table(csv_file: Path) -> None:
    (csv_file.parent / "more.csv").write_text("task,model,metric,mean,low\nct_mri,new,qabf,0.7,0.6\n")
    assert lines("values.csv,more.csv metric=qabf task=ct_mri show=model,mean")[2:] == [
        "| average | 0.371 |",
        "| maximum | 0.628 |",
        "| new | 0.7 |",
    ]


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ("missing.csv", "missing.csv"),
        ("values.csv model=unknown", "no row has model=unknown."),
        ("values.csv colour=red", "colour"),
        ("values.csv across=metric", "a table with 'across' needs 'show' and 'cell' as well."),
        (
            "values.csv show=model across=metric cell={mean}",
            "several rows would share a cell under qabf; keep or show more columns.",
        ),
    ],
)
def test_what_cannot_be_made_is_said(csv_file: Path, request_text: str, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        lines(request_text)
    assert str(caught.value).startswith(f"The table '{request_text}' cannot be made: ")
    assert reason in str(caught.value)
