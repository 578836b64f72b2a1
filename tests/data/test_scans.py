"""What a user points at becomes pictures: files, folders, volumes, series and archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from brainlens.core.errors import ImageError, UserError
from brainlens.data.answers import Answer, Finding
from brainlens.data.inputs import opened
from brainlens.data.scans import Picture, read_pictures
from brainlens.data.studies import pool, suspicion


def picture(path: Path, value: int = 120) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30), value, np.uint8)).save(path)
    return path


def volume(path: Path) -> Path:
    """Four axial planes, the last of them air."""
    values = np.zeros((16, 20, 4), np.float32)
    values[4:12, 4:16, :3] = 100 + np.arange(3)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1, 1, 5, 1])), path)  # type: ignore[no-untyped-call]
    return path


def test_a_volume_becomes_its_slices_without_those_of_air(tmp_path: Path) -> None:
    found = read_pictures(volume(tmp_path / "v.nii.gz"))
    assert [one.number for one in found] == [0, 1, 2]
    assert {one.slices for one in found} == {4}
    assert len({one.study for one in found}) == 1
    assert found[1].name.endswith("v.nii.gz slice 2")


def test_a_volume_of_air_is_refused_by_name(tmp_path: Path) -> None:
    empty = tmp_path / "air.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 3), np.float32), np.eye(4)), empty)  # type: ignore[no-untyped-call]
    with pytest.raises(ImageError, match=r"air\.nii"):
        read_pictures(empty)


def test_a_coloured_picture_says_so(tmp_path: Path) -> None:
    rgb = np.zeros((20, 20, 3), np.uint8)
    rgb[..., 0] = 200
    Image.fromarray(rgb).save(tmp_path / "red.png")
    assert read_pictures(tmp_path / "red.png")[0].colour > 0.9
    assert read_pictures(picture(tmp_path / "grey.png"))[0].colour == 0


def test_folders_and_archives_are_read_whole(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "deep" / "b.png")
    volume(tmp_path / "in" / "v.nii.gz")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.write(tmp_path / "in" / "a.png", "x/a.png")
        archive.write(tmp_path / "in" / "a.png", "../../escape.png")
    with opened([tmp_path / "in", tmp_path / "s.zip"]) as files:
        assert len(files) == 5
        unpacked = files[3:]
        assert all(file.is_file() for file in unpacked)
    assert not any(file.exists() for file in unpacked)
    assert not list(tmp_path.parent.glob("escape*"))


def test_a_damaged_archive_and_an_empty_folder_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with pytest.raises(ImageError, match=r"bad\.zip"), opened([tmp_path / "bad.zip"]):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image"), opened([tmp_path / "empty"]):
        pass


def answer(study: str, healthy: float, refusal: str = "") -> Answer:
    p = {"glioma": (1 - healthy) * 0.75, "none": healthy, "pituitary": (1 - healthy) * 0.25}
    best = max(p, key=lambda label: p[label])
    return Answer(Picture("v.nii", 0, 9, study), Finding(best, p[best], p, refusal=refusal))


def test_a_study_is_the_mean_of_its_three_most_suspicious_slices_that_were_judged() -> None:
    healthy = [0.9, 0.2, 0.5, 0.8, 0.4]
    answers = [answer("s", h) for h in healthy] + [answer("s", 0.0, "is noise"), answer("", 0.1)]
    (study,) = pool(answers, "none")
    assert study.slices == 6
    assert study.judged == 5
    assert study.order[:3] == (1, 4, 2)
    assert study.suspicion == pytest.approx(((1 - 0.2) + (1 - 0.4) + (1 - 0.5)) / 3)
    assert study.predicted == "glioma"
    assert suspicion(answers[5], "none") == -1


def test_a_study_of_refused_slices_answers_nothing() -> None:
    (study,) = pool([answer("s", 0.1, "is noise")] * 2, "none")
    assert (study.judged, study.predicted, study.suspicion) == (0, "", 0.0)
