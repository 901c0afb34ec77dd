import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.files import markups
from volfuse.errors import FusionError
from volfuse.registration.points import landmark_error, paired_points, read_points, rigid_from_points

RAS = {
    "nose": (10.0, 80.0, -20.0),
    "left ear": (-70.0, 0.0, -10.0),
    "right ear": (70.0, 5.0, -12.0),
    "top": (0.0, -5.0, 90.0),
}
LPS = {name: np.array([-x, -y, z]) for name, (x, y, z) in RAS.items()}
TURN = sitk.VersorRigid3DTransform()
TURN.SetRotation((1.0, 2.0, -1.0), 0.4)
TURN.SetTranslation((12.0, -7.0, 30.0))


def fcsv(system: str, positions: dict) -> str:
    rows = [
        f"vtk_{i},{x},{y},{z},0,0,0,1,1,1,0,{name},," for i, (name, (x, y, z)) in enumerate(positions.items())
    ]
    header = f"# Markups fiducial file version = 4.11\n# CoordinateSystem = {system}\n"
    return (
        header
        + "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
        + "\n".join(rows)
    )


FILES = {
    "LPS markups": ("p.mrk.json", markups("LPS", {name: p.tolist() for name, p in LPS.items()})),
    "RAS markups": ("p.mrk.json", markups("RAS", RAS)),
    "LPS fcsv": ("p.fcsv", fcsv("LPS", {name: p.tolist() for name, p in LPS.items()})),
    "RAS fcsv": ("p.fcsv", fcsv("RAS", RAS)),
    "fcsv of old, which writes 0 for RAS": ("p.fcsv", fcsv("0", RAS)),
    "table": ("p.csv", "label,x,y,z\n" + "\n".join(f"{n}, {x}, {y}, {z}" for n, (x, y, z) in RAS.items())),
}


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES.keys())
def test_every_file_gives_the_same_points_in_lps(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    points = read_points(path)
    assert list(points) == list(RAS)
    for label, point in points.items():
        np.testing.assert_allclose(point, LPS[label])


def test_points_that_were_never_placed_do_not_count(tmp_path: Path) -> None:
    document = json.loads(markups("LPS", RAS))
    document["markups"][0]["controlPoints"][1]["positionStatus"] = "undefined"
    path = tmp_path / "p.mrk.json"
    path.write_text(json.dumps(document))
    assert list(read_points(path)) == ["nose", "right ear", "top"]


def test_points_without_names_are_paired_in_their_order_and_named_ones_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n4,5,6\n7,8,10\n")
    (tmp_path / "b.csv").write_text("label,x,y,z\n3,7,8,10\n1,1,2,3\n2,4,5,6\n")
    (tmp_path / "c.csv").write_text("label,x,y,z\nF-1,1,2,3\nF-2,4,5,6\nF-3,7,8,10\n")
    for other in ("b.csv", "c.csv"):
        first, second = paired_points(tmp_path / "a.csv", tmp_path / other)
        np.testing.assert_array_equal(first, second)


def test_a_known_turn_is_found_exactly() -> None:
    reference = np.array(list(LPS.values()))
    second = np.array([TURN.TransformPoint(point) for point in reference.tolist()])
    found = rigid_from_points(reference, second)
    assert landmark_error(found, reference, second) < 1e-6
    np.testing.assert_allclose(
        found.TransformPoint((3.0, 4.0, 5.0)), TURN.TransformPoint((3.0, 4.0, 5.0)), atol=1e-6
    )


def test_noisy_points_give_the_least_squares_fit() -> None:
    """Against the closed form with singular values (Kabsch 1976)."""
    rng = np.random.default_rng(3)
    reference = rng.uniform(-80, 80, (7, 3))
    second = np.array([TURN.TransformPoint(point) for point in reference.tolist()]) + rng.normal(0, 3, (7, 3))
    u, _, vt = np.linalg.svd((reference - reference.mean(0)).T @ (second - second.mean(0)))
    rotation = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    expected = (reference - reference.mean(0)) @ rotation.T + second.mean(0)
    found = rigid_from_points(reference, second)
    np.testing.assert_allclose([found.TransformPoint(p) for p in reference.tolist()], expected, atol=1e-6)
    assert landmark_error(found, reference, second) == pytest.approx(
        np.sqrt(((expected - second) ** 2).sum(1).mean())
    )


def test_mirrored_points_never_give_a_mirror() -> None:
    reference = np.array(list(LPS.values()))
    found = rigid_from_points(reference, reference * [-1, 1, 1])
    assert np.linalg.det(np.reshape(found.GetMatrix(), (3, 3))) == pytest.approx(1)


def test_too_few_points_or_points_on_a_line_are_refused() -> None:
    points = np.array(list(LPS.values()))
    with pytest.raises(FusionError, match=r"^2 landmarks are too few for a rotation; mark at least 3\.$"):
        rigid_from_points(points[:2], points[:2])
    line = np.outer([0.0, 1.0, 5.0, 9.0], [1.0, 2.0, 3.0]) + np.array([5, 6, 7])
    for reference, second in ((line, points), (points, line), (line * 0, points)):
        with pytest.raises(FusionError, match="lie on one line, about which any rotation fits"):
            rigid_from_points(reference, second)


BAD_FILES = {
    "no file": ("no.csv", None, "could not be opened; check the path."),
    "no columns": ("a.csv", "1,2,3\n4,5,6\n", "a.csv holds no landmarks that can be read; save them in 3D Slicer"),
    "no number": ("a.csv", "x,y,z\n1,2,three\n", "a.csv holds no landmarks"),
    "infinite": ("a.csv", "x,y,z\n1,2,inf\n", "a.csv holds no landmarks"),
    "no json": ("a.mrk.json", "{", "a.mrk.json holds no landmarks"),
    "json of something else": ("a.json", "[1]", "a.json holds no landmarks"),
    "two coordinates": ("a.json", markups("RAS", {"p": (1.0, 2.0)}), "a.json holds no landmarks"),
    "unknown system": ("a.json", markups("IJK", RAS), "a.json holds no landmarks"),
    "fcsv without columns": ("a.fcsv", "1,2,3\n", "a.fcsv holds no landmarks"),
    "a name twice": ("a.csv", "label,x,y,z\np,1,2,3\np,4,5,6\n", "a.csv uses the name of a landmark twice"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "sentence"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_gives_one_sentence(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(FusionError) as raised:
        read_points(tmp_path / name)
    assert sentence in str(raised.value)


def test_files_of_different_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    (tmp_path / "b.csv").write_text("x,y,z\n1,2,3\n")
    with pytest.raises(
        FusionError, match=r"^a\.csv has 2 landmarks and b\.csv has 1; mark the same places in both\.$"
    ):
        paired_points(tmp_path / "a.csv", tmp_path / "b.csv")
