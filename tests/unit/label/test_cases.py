from pathlib import Path

from volfuse.label.cases import find_cases


def test_a_case_is_two_files_that_differ_in_their_ending(tmp_path: Path) -> None:
    complete = ("b_mr.nii.gz", "b_pet.nrrd", "a_1_mr.png", "a_1_pet.png")
    alone = ("lone_mr.nii.gz", "x_ct.nii", "notes_mr.txt")
    unfit = ("b c_mr.nii", "b c_pet.nii", "_mr.nii", "_pet.nii", ".d_mr.nii", ".d_pet.nii")
    for name in (*complete, *alone, *unfit):
        (tmp_path / name).touch()
    cases = find_cases(tmp_path, ("mr", "pet"))
    assert list(cases) == ["a_1", "b"]
    assert [path.name for path in cases["b"].files] == ["b_mr.nii.gz", "b_pet.nrrd"]
    assert [path.name for path in find_cases(tmp_path, ("pet", "mr"))["b"].files] == [
        "b_pet.nrrd",
        "b_mr.nii.gz",
    ]
