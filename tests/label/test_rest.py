"""A reader's and a researcher's way through the server, over HTTP, on loopback."""

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import requests
import SimpleITK as sitk

from tests.label.server_process import HEADERS, TOKEN, Server
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.models import catalogue

pytestmark = pytest.mark.usefixtures("server")
MODELS = ("lightfusionnet", "average", "laplacian")


def voxels(content: bytes, tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    file = tmp_path / "answer.nii.gz"
    file.write_bytes(content)
    image = nibabel.load(file)
    return np.asanyarray(image.dataobj), image.affine


def test_info_lists_what_fuses_two_scans_and_calls_none_of_it_a_segmentation(server: Server) -> None:
    info = server.get("/info/").json()
    assert catalogue(num_sources=2).keys() <= info["models"].keys()
    assert {model["type"] for model in info["models"].values()} == {"others"} and info["labels"] == []
    assert set(info["strategies"]) == {"random", "lowest_quality", "highest_disagreement", "diversity"}
    assert set(info["scoring"]) == {"quality", "disagreement", "appearance"}
    assert "lightfusionnet" in info["trainers"] and "average" not in info["trainers"]
    assert info["modalities"] == ["mr", "pet"]
    assert "not a medical device" in info["description"]


@pytest.mark.parametrize("model", MODELS)
def test_the_fused_image_is_that_of_volfuse_fuse_voxel_for_voxel(
    server: Server, model: str, tmp_path: Path
) -> None:
    answer = server.post(f"/infer/{model}?image=case1&output=image")
    files = [server.studies / f"case1_{kind}.nii.gz" for kind in ("mr", "pet")]
    expected = FusionPipeline(model, "cpu").fuse(files)
    fused, affine = voxels(answer.content, tmp_path)
    np.testing.assert_array_equal(fused, expected[0].numpy())
    np.testing.assert_allclose(affine, nibabel.load(files[0]).affine)


def test_windows_colours_and_planes_are_those_of_volfuse_fuse(server: Server, tmp_path: Path) -> None:
    words = {"windows": ["p1:p99", "pet"], "colormaps": [None, "hot"], "plane": "coronal"}
    answer = server.post("/infer/average?image=case0&output=image", data={"params": json.dumps(words)})
    files = [server.studies / f"case0_{kind}.nii.gz" for kind in ("mr", "pet")]
    expected = FusionPipeline("average", "cpu").fuse(files, FusionOptions(**words))
    fused, _ = voxels(answer.content, tmp_path)
    assert fused.dtype.names == ("R", "G", "B")
    for channel, name in zip(expected.numpy(), "RGB", strict=True):
        np.testing.assert_array_equal(fused[name], channel)


UNFIT = {
    "empty window": ({"windows": ["5:5"]}, "is empty"),
    "no window": ({"windows": ["$1"]}, "is no intensity window"),
    "percentile": ({"windows": ["p1:p101"]}, "percentile outside"),
    "colour map": ({"colormaps": [None, "nosuch"]}, "nosuch"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_options_that_mean_nothing_are_refused_in_one_sentence(server: Server, case: str) -> None:
    words, sentence = UNFIT[case]
    answer = server.post("/infer/average?image=case0", data={"params": json.dumps(words)})
    assert answer.status_code == 400 and sentence in answer.json()["detail"]


def test_pictures_of_different_sizes_are_refused(server: Server, tmp_path: Path) -> None:
    uploads = []
    for name, size in (("a.png", 20), ("b.png", 24)):
        values = np.arange(size * size, dtype=np.uint16).reshape(size, size) % 251
        sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.uint8)), str(tmp_path / name))
        uploads.append(("files", (name, (tmp_path / name).read_bytes())))
    session = server.put("/session/", files=uploads).json()["session_id"]
    answer = server.post(f"/infer/average?session_id={session}")
    assert answer.status_code == 400 and "source_1.png" in answer.json()["detail"]
    server.ask("DELETE", f"/session/{session}")


def test_json_tells_about_the_image_and_all_sends_both(server: Server) -> None:
    facts = server.post("/infer/average?image=case1&output=json").json()
    assert (facts["model"], facts["shape"], facts["color"]) == ("average", [32, 32, 4], False)
    both = server.post("/infer/average?image=case1")
    assert both.headers["Content-Type"].startswith("multipart/form-data")
    boundary = both.headers["Content-Type"].partition("boundary=")[2].encode()
    _, params, image, end = both.content.split(b"--" + boundary)
    assert json.loads(params.split(b"\r\n\r\n", 1)[1])["shape"] == [32, 32, 4]
    assert gzip.decompress(image.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")) and end == b"--\r\n"


def test_both_scans_of_a_case_can_be_downloaded(server: Server) -> None:
    for address, kind in (("image", "mr"), ("second", "pet")):
        answer = server.get(f"/datastore/{address}?image=case2")
        assert answer.content == (server.studies / f"case2_{kind}.nii.gz").read_bytes()


def test_a_session_of_two_files_is_fused_and_ends(server: Server, tmp_path: Path) -> None:
    paths = [server.studies / f"case3_{kind}.nii.gz" for kind in ("mr", "pet")]
    uploads = [("files", (path.name, path.read_bytes())) for path in paths]
    session = server.put("/session/", files=uploads).json()["session_id"]
    assert server.get(f"/session/{session}").json()["files"] == ["source_0.nii.gz", "source_1.nii.gz"]
    answer = server.post(f"/infer/laplacian?session_id={session}&output=image")
    expected = FusionPipeline("laplacian", "cpu").fuse(paths)
    np.testing.assert_array_equal(voxels(answer.content, tmp_path)[0], expected[0].numpy())
    assert server.ask("DELETE", f"/session/{session}").status_code == 200
    gone = server.post(f"/infer/laplacian?session_id={session}")
    assert gone.status_code == 404 and "expired" in gone.json()["detail"]
    assert list((server.studies / "fusion" / "sessions").iterdir()) == []


def test_notes_come_with_the_facts_and_in_a_header_of_the_image(server: Server) -> None:
    paths = [server.studies / name for name in ("case3_mr.nii.gz", "case0_pet.nii.gz")]  # 12 of 192 mm apart
    uploads = [("files", (path.name, path.read_bytes())) for path in paths]
    session = server.put("/session/", files=uploads).json()["session_id"]
    address = f"/infer/average?session_id={session}"
    notes = server.post(f"{address}&output=json").json()["notes"]
    assert notes == ["source_1.nii.gz is resampled onto the grid of source_0.nii.gz and covers 94% of it."]
    assert json.loads(server.post(f"{address}&output=image").headers["Volfuse-Notes"]) == notes
    server.ask("DELETE", f"/session/{session}")


def test_a_session_needs_two_scans(server: Server) -> None:
    answer = server.put("/session/", files=[("files", ("a.nii.gz", b"x"))])
    assert answer.status_code == 422 and "A session is two scans" in answer.json()["detail"]


def test_a_file_that_is_no_image_or_holds_less_than_its_header_says_is_refused(server: Server) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((2000, 2000, 2000))
    cut = ("a.nii", header.binaryblock + bytes(4096))
    for upload in (cut, ("a.nii.gz", b"no image"), ("a.txt", b"text")):
        answer = server.put("/session/", files=[("files", upload), ("files", upload)])
        assert answer.status_code == 415, answer.text
    sessions = server.studies / "fusion" / "sessions"
    assert not sessions.exists() or list(sessions.iterdir()) == []


def test_what_does_not_run_can_be_stopped(server: Server) -> None:
    for address in ("/train/", "/scoring/", "/batch/infer"):
        answer = server.ask("DELETE", address)
        assert (answer.status_code, answer.json()) == (200, None)


def test_a_batch_on_a_cpu_keeps_an_image_of_every_case_under_the_name_of_the_model(
    server: Server, tmp_path: Path
) -> None:
    results = server.post("/batch/infer/maximum?run_sync=true").json()
    assert sorted(results) == [f"case{number}" for number in range(6)]
    kept = server.get("/datastore/label?label=case4&tag=maximum").content
    alone = server.post("/infer/maximum?image=case4&output=image").content
    np.testing.assert_array_equal(voxels(kept, tmp_path)[0], voxels(alone, tmp_path)[0])
    every = server.get("/datastore/?output=all").json()["objects"]
    assert all("maximum" in case["labels"] and "original" not in case["labels"] for case in every.values())


def test_the_strategies_choose_by_what_the_scoring_stored(server: Server) -> None:
    words = {"models": ["average", "laplacian", "maximum"]}
    for method in ("quality", "disagreement", "appearance"):
        done = server.post(f"/scoring/{method}?run_sync=true", json=words)
        assert done.json()["failed"] == {}
    held_out = json.loads((server.studies / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    objects = server.get("/datastore/?output=all").json()["objects"]
    info = {
        case: known["image"]["info"]
        for case, known in objects.items()
        if case not in held_out and not known["image"]["info"]["verdict"]
    }
    assert all(set(known["quality"]) == set(words["models"]) for known in info.values())
    worst = min(info, key=lambda case: sum(info[case]["quality"].values()))
    disputed = max(info, key=lambda case: info[case]["disagreement"])
    assert server.post("/activelearning/lowest_quality").json()["id"] == worst
    assert server.post("/activelearning/highest_disagreement").json()["id"] == disputed
    assert len({known["disagreement"] for known in info.values()}) > 1


@pytest.mark.parametrize("strategy", ["random", "lowest_quality", "highest_disagreement", "diversity"])
def test_every_strategy_names_an_open_case_and_says_why(server: Server, strategy: str) -> None:
    sample = server.post(f"/activelearning/{strategy}", json={"client_id": "a stock client"}).json()
    held_out = json.loads((server.studies / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    assert sample["id"] in {f"case{number}" for number in range(6)} - set(held_out)
    assert sample["reason"] and sample["name"] == f"{sample['id']}_mr.nii.gz" and "path" not in sample


def test_a_verdict_that_cannot_be_stored_is_not_answered_as_if_it_were(server: Server) -> None:
    verdicts = server.studies / "fusion" / "verdicts"
    verdicts.mkdir(parents=True, exist_ok=True)
    # Tests run in any order, and each may have judged a case.
    in_the_way = next(path for number in range(6) if not (path := verdicts / f"case{number}").exists())
    in_the_way.touch()
    try:
        refused = server.judge(in_the_way.name, '{"verdict": "reject", "model": "average"}')
    finally:
        in_the_way.unlink()
    assert (refused.status_code, refused.json()["detail"]) == (
        507,
        "The server cannot write to its disk; tell whoever runs it.",
    )


def test_a_verdict_is_kept_with_the_image_that_the_reader_wants(server: Server, tmp_path: Path) -> None:
    words = {
        "verdict": "prefer",
        "model": "average",
        "preferred_model": "laplacian",
        "rating": 2,
        "comment": "Lesion is faint, Läsion blass.",
        "reader": "Dr. A",
    }
    given = server.judge("case0", json.dumps(words))
    assert given.status_code == 200
    stored = server.get("/datastore/label/info?label=case0&tag=final").json()["params"]
    assert {key: stored[key] for key in words} == words and stored == given.json()["verdict"]
    chosen = server.get("/datastore/label?label=case0&tag=final").content
    expected = server.post("/infer/laplacian?image=case0&output=image").content
    np.testing.assert_array_equal(voxels(chosen, tmp_path)[0], voxels(expected, tmp_path)[0])


def test_a_rejection_keeps_no_image_and_the_history_stays(server: Server) -> None:
    before = len(server.get("/datastore/verdicts?image=case0").json())
    assert server.judge("case0", '{"verdict": "reject", "model": "average"}').status_code == 200
    assert server.judge("case0", '{"verdict": "accept", "model": "average"}').status_code == 200
    history = server.get("/datastore/verdicts?image=case0").json()
    assert [verdict["verdict"] for verdict in history[before:]] == ["reject", "accept"]
    assert history[-2]["image"] is None and history[-1]["image"].endswith(".nii.gz")


WRONG_WORDS = {
    "no verdict": ('{"model": "average"}', 422, "verdict: Field required"),
    "rating of 6": ('{"verdict": "accept", "model": "average", "rating": 6}', 422, "less than or equal to 5"),
    "unknown field": ('{"verdict": "accept", "model": "average", "path": "/x"}', 422, "Extra inputs"),
    "no preferred model": ('{"verdict": "prefer", "model": "average"}', 422, "preferred_model belongs to"),
    "unknown model": ('{"verdict": "accept", "model": "nothing"}', 404, "There is no such model"),
    "no JSON": ("{", 422, "Invalid JSON"),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_verdict_is_refused_in_one_sentence(server: Server, case: str) -> None:
    words, status, sentence = WRONG_WORDS[case]
    answer = server.judge("case1", words)
    assert answer.status_code == status and sentence in answer.json()["detail"]


def test_a_label_map_is_no_chosen_image(server: Server) -> None:
    """What MONAI Label's own Slicer plugin would submit."""
    header = nibabel.Nifti1Image(np.eye(8, dtype=np.uint8)[..., None], np.eye(4))
    answer = server.put(
        "/datastore/label?image=case1",
        data={"params": '{"verdict": "accept", "model": "average"}'},
        files={"label": ("label.nii", header.to_bytes())},
    )
    assert answer.status_code == 400 and "looks like a label map" in answer.json()["detail"]


def test_training_runs_in_a_process_and_publishes_only_what_is_better(server: Server) -> None:
    server.judge("case1", '{"verdict": "accept", "model": "average", "reader": "Dr. B"}')
    begun = server.post("/train/lightfusionnet", json={"steps": 6, "reader": "Dr. B"})
    assert begun.status_code == 200
    assert server.wait_for("/train/")["status"] == "DONE"
    record = server.get("/rounds/").json()[-1]
    rose = {name: record["after"][name] - record["before"][name] for name in ("quality", "transfer")}
    better = min(rose.values()) >= 0 < max(rose.values())
    assert record["state"] == ("published" if better else "not better"), record
    assert record["reader"] == "Dr. B" and record["settings"]["steps"] == 6
    held_out = json.loads((server.studies / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    assert record["hold_out"] == held_out and not set(record["cases"]) & set(held_out)
    assert better, "the network never saw phantoms, so some steps on them must help"
    name = record["published_as"]
    assert name in server.get("/info/").json()["models"]
    old, new = (
        server.post(f"/infer/{model}?image=case1&output=image").content for model in ("lightfusionnet", name)
    )
    assert old != new


def test_a_round_that_is_not_better_publishes_nothing(server: Server) -> None:
    """A high weight of the plain average of the scans is against everything that the loss wants."""
    server.judge("case1", '{"verdict": "accept", "model": "average"}')
    models = server.get("/info/").json()["models"].keys()
    words = {"steps": 6, "learning_rate": 0.01, "preference_weight": 10}
    record = server.post("/train/lightfusionnet?run_sync=true", json=words).json()
    assert record["state"] == "not better" and record["after"]["loss"] >= record["before"]["loss"]
    assert server.get("/info/").json()["models"].keys() == models


def test_the_client_of_monai_label_works_with_the_token_as_password(server: Server) -> None:
    """It is what the stock Slicer plugin speaks through."""
    client_module = pytest.importorskip("monailabel.client.client")
    client = client_module.MONAILabelClient(server.url)
    assert client.auth_enabled()
    client.update_auth(client.auth_token("anyone", TOKEN))
    assert client.info()["name"] == "SlicerFusion"
    sample = client.next_sample("random", {})
    assert "original" not in client.datastore()["objects"][sample["id"]]["labels"]
    image, facts = client.infer(
        "average", sample["id"], {"result_extension": ".nrrd", "result_dtype": "uint8"}
    )
    assert facts["model"] == "average" and Path(image).read_bytes().startswith(b"NRRD")


def test_without_the_token_nothing_is_told(server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        for address in ("/info/", "/openapi.json", "/datastore/?output=all", "/nowhere"):
            answer = requests.get(server.url + address, headers=headers, timeout=30)
            assert answer.status_code == 401 and "token is needed" in answer.json()["detail"]
    assert server.get("/info/", headers=HEADERS).status_code == 200
