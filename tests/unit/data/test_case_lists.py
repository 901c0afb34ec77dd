import json
from pathlib import Path

import pytest

from volfuse.data.cases import Case, list_cases
from volfuse.errors import FusionError

ROLES = ("mr", "pet")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(cases: list[Case], folder: Path) -> dict[str, list[str]]:
    return {case.name: [source.relative_to(folder).as_posix() for source in case.sources] for case in cases}


EXPECTED = {"a": ["a/mr.nii.gz", "a/pet.nii.gz"], "b": ["b/mr.nii.gz", "b/pet.nii.gz"]}


def test_every_case_folder_is_a_case_and_roles_name_its_scans(tmp_path: Path) -> None:
    touch(tmp_path, "a/mr.nii.gz", "a/pet.nii.gz", "b/pet.nii.gz", "b/mr.nii.gz")
    assert found(list_cases(tmp_path, ROLES), tmp_path) == EXPECTED
    swapped = {name: sources[::-1] for name, sources in EXPECTED.items()}
    assert found(list_cases(tmp_path, ("PET", "MR")), tmp_path) == swapped


def test_what_systems_and_converters_leave_is_no_scan(tmp_path: Path) -> None:
    touch(tmp_path, "a/mr.nii.gz", "a/pet.nii.gz", "b/mr.nii.gz", "b/pet.nii.gz")
    for folder in (".", "a", "b"):
        touch(tmp_path / folder, ".DS_Store", "._mr.nii.gz", "Thumbs.db", "desktop.ini", "mr.json")
    touch(tmp_path, "notes.txt", "__MACOSX/a/mr.nii.gz", ".git/mr.nii.gz")
    assert found(list_cases(tmp_path, ROLES), tmp_path) == EXPECTED


def test_a_role_is_a_word_of_the_name_and_an_exact_name_comes_first(tmp_path: Path) -> None:
    touch(tmp_path, "a/sub-1_T1.nii.gz", "a/sub-1_T1c.nii.gz", "b/t1.nrrd", "b/t1_mask.nrrd", "b/t1c.nrrd")
    assert found(list_cases(tmp_path, ("t1", "t1c")), tmp_path) == {
        "a": ["a/sub-1_T1.nii.gz", "a/sub-1_T1c.nii.gz"],
        "b": ["b/t1.nrrd", "b/t1c.nrrd"],
    }


def test_dicom_folders_are_scans(tmp_path: Path) -> None:
    touch(tmp_path, "a/mr/1.dcm", "a/pet/1.dcm", "b/mr/1.dcm", "b/pet/1.dcm")
    assert found(list_cases(tmp_path, ROLES), tmp_path)["b"] == ["b/mr", "b/pet"]


def test_pairs_lie_in_one_folder_too(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b_pet.nii.gz",
        "a_mr.nii.gz",
        "a_pet.nii.gz",
        "b_mr.nii.gz",
        ".DS_Store",
        "pet_c d.png",
        "mr_c d.png",
    )
    assert found(list_cases(tmp_path, ROLES), tmp_path) == {
        "a": ["a_mr.nii.gz", "a_pet.nii.gz"],
        "b": ["b_mr.nii.gz", "b_pet.nii.gz"],
        "c d": ["mr_c d.png", "pet_c d.png"],
    }


def test_the_folder_of_one_case_is_a_list_of_one(tmp_path: Path) -> None:
    touch(tmp_path / "patient", "mr.nii.gz", "pet.nii.gz")
    assert list(found(list_cases(tmp_path / "patient", ROLES), tmp_path)) == ["patient"]


def test_numbers_in_front_say_the_order_without_roles(tmp_path: Path) -> None:
    touch(tmp_path, "a/10_ct.nii.gz", "a/2_mr.nii.gz", "a/.DS_Store")
    assert found(list_cases(tmp_path), tmp_path) == {"a": ["a/2_mr.nii.gz", "a/10_ct.nii.gz"]}


@pytest.mark.parametrize("name", ["list.csv", "list.json", "monai.json"])
def test_tables_list_cases_with_paths_beside_them(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "scans/1.nii.gz", "scans/2.nii.gz")
    row = {"case": "patient1", "reference": "scans/1.nii.gz", "second": "scans/2.nii.gz"}
    texts = {
        "list.csv": "\ufeffCase;Reference;Second\npatient1;scans/1.nii.gz;scans/2.nii.gz\n",
        "list.json": json.dumps([row]),
        "monai.json": json.dumps({"testing": [row]}),
    }
    (tmp_path / name).write_text(texts[name], encoding="utf-8")
    expected = {"patient1": ["scans/1.nii.gz", "scans/2.nii.gz"]}
    assert found(list_cases(tmp_path / name), tmp_path) == expected


def test_a_table_may_have_roles_and_options_as_columns(tmp_path: Path) -> None:
    touch(tmp_path, "1.nii.gz", "2.nii.gz")
    (tmp_path / "list.csv").write_text("mr,pet,color\n1.nii.gz,2.nii.gz,published\n")
    (case,) = list_cases(tmp_path / "list.csv", ROLES, options=("color",))
    assert case == Case("1", (tmp_path / "1.nii.gz", tmp_path / "2.nii.gz"), options={"color": "published"})
    with pytest.raises(
        FusionError, match="^list.csv has an entry 'color' that means nothing here; use case, mr, pet.$"
    ):
        list_cases(tmp_path / "list.csv", ROLES)


def test_an_incomplete_case_is_a_problem_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "a/mr.nii.gz", "a/pet.nii.gz", "b/mr.nii.gz", "c/mr_1.nii", "c/mr_2.nii", "c/pet.nii")
    (tmp_path / "d").mkdir()
    problems = {case.name: case.problem for case in list_cases(tmp_path, ROLES)}
    assert problems == {
        "a": "",
        "b": f"The case b in {tmp_path / 'b'} has no scan 'pet': it holds mr.nii.gz.",
        "c": f"The case c in {tmp_path / 'c'} has more than one scan 'mr': it holds mr_1.nii, mr_2.nii.",
        "d": f"The case d in {tmp_path / 'd'} has no scan 'mr': it holds nothing.",
    }


def test_no_two_cases_are_called_alike_and_no_name_leads_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path, "1.nii.gz", "2.nii.gz")
    rows = "".join(f"{name},1.nii.gz,2.nii.gz\n" for name in ("a", "A", "../b"))
    (tmp_path / "list.csv").write_text(f"case,reference,second\n{rows}c,1.nii.gz,3.nii.gz\n")
    assert [(case.problem, len(case.sources)) for case in list_cases(tmp_path / "list.csv")] == [
        ("", 2),
        ("Two cases are called A; give each a name of its own.", 0),
        ("'../b' can be no name of a case; use letters, digits, '_' and '-'.", 0),
        (f"{tmp_path / '3.nii.gz'} does not exist; correct list.csv.", 0),
    ]


@pytest.mark.parametrize(
    ("names", "roles", "message"),
    [
        ([], ROLES, "FOLDER holds no cases; put one folder per case into it, with its scans."),
        ([".DS_Store"], None, "FOLDER holds no cases; put one folder per case into it, with its scans."),
        (
            ["a_mr.nii", "a_pet.nii"],
            None,
            "FOLDER holds no folders of cases; name the scans in it, for example: --reference mr --second pet.",
        ),
        (
            ["a/mr.nii"],
            None,
            "FOLDER/a holds mr.nii, where 2 scans are needed; complete it, or name them, for example: "
            "--reference mr --second pet.",
        ),
        (
            ["a/mr.nii", "a/pet.nii"],
            None,
            "FOLDER/a holds mr.nii, pet.nii, and nothing says which is the reference; name them, for example: "
            "--reference mr --second pet.",
        ),
        (["a/mr.nii"], ROLES, "The case a in FOLDER/a has no scan 'pet': it holds mr.nii."),
        (
            ["a/x"],
            ("mr", "MR"),
            "The scans of a case need as many different names, not: reference mr, second mr.",
        ),
        (
            ["a/x"],
            ("mr", None),
            "The scans of a case need as many different names, not: reference mr, second (none).",
        ),
    ],
)
def test_folders_that_are_no_list_get_one_sentence(
    names: list[str], roles: tuple[str, str] | None, message: str, tmp_path: Path
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(FusionError) as error:
        list_cases(tmp_path, roles)
    assert str(error.value) == message.replace("FOLDER", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,reference\na,x\n", "Entry 1 of list.csv has no 'second'; it needs case, reference, second."),
        ("", "FILE holds no cases; put one folder per case into it, with its scans."),
        (
            "\xff",
            "list.csv is no list of cases; give a CSV file with the columns case, reference, second, "
            "or a JSON list of such entries.",
        ),
    ],
)
def test_tables_that_are_no_list_get_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text, encoding="latin-1")
    with pytest.raises(FusionError) as error:
        list_cases(tmp_path / "list.csv")
    assert str(error.value) == message.replace("FILE", str(tmp_path / "list.csv"))


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        FusionError, match="nowhere does not exist; name a folder of cases, or a CSV or JSON file"
    ):
        list_cases(tmp_path / "nowhere")
