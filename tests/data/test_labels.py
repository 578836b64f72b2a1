"""What a folder is called in, the label out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlens.core.errors import ConfigError
from brainlens.data.labels import (
    ALIASES,
    NAMED_MAPS,
    apply_map,
    canonical,
    is_known,
    parse_map,
    source_of,
)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("glioma_tumor", "glioma"),
        ("GLIOMA", "glioma"),
        ("Glioma Tumour", "glioma"),
        ("1_glioma", "glioma"),
        ("glioma (2)", "glioma"),
        ("0_no", "none"),
        ("meningioma_tumor", "meningioma"),
        ("pituitary-adenoma", "pituitary"),
        ("no_tumor", "none"),
        ("notumor", "none"),
        ("No", "none"),
        ("NORMAL", "none"),
        ("healthy ", "none"),
        ("YES", "tumour"),
        ("Brain_Tumor", "tumour"),
    ],
)
def test_the_spellings_of_the_public_sets_mean_one_label(name: str, label: str) -> None:
    assert canonical(name) == label
    assert is_known(name)


@pytest.mark.parametrize("name", ["No1", "no. 12", "No_7", "yes2", "NO-3"])
def test_a_numbered_folder_says_neither_yes_nor_no(name: str) -> None:
    assert canonical(name) == name  # "No. 12" counts; it is no class
    assert not is_known(name)


@pytest.mark.parametrize(
    "name", ["astrocytoma", "Grade II", "脑膜瘤", "não", "2023", "gliomatosis"]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical(name) == name
    assert not is_known(name)


def test_spaces_around_a_name_do_not_make_another_class() -> None:
    assert canonical(" astrocytoma ") == "astrocytoma"


@given(st.text())
@settings(deadline=None, max_examples=50)
def test_a_label_is_its_own_label(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)


def test_no_spelling_means_two_labels() -> None:
    spellings = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(spellings) == len(set(spellings))
    assert all(canonical(label) == label for label in ALIASES)


def test_the_map_of_types_leaves_tumours_of_unknown_kind_out() -> None:
    types = parse_map("types")
    assert [apply_map(name, types) for name in ("yes", "no", "glioma_tumor")] == [
        "", "none", "glioma",
    ]  # fmt: skip


def test_the_binary_map_asks_tumour_or_none() -> None:
    binary = parse_map("binary")
    names = ("glioma", "meningioma_tumor", "pituitary", "yes", "no", "notumor")
    assert [apply_map(name, binary) for name in names] == ["tumour"] * 4 + ["none"] * 2


def test_a_named_map_is_a_copy() -> None:
    parse_map("types")["glioma"] = ""
    assert "glioma" not in NAMED_MAPS["types"]


def test_pairs_may_speak_of_the_folder_or_of_its_label() -> None:
    pairs = parse_map(" lgg = glioma , none=healthy,odd=,")
    assert pairs == {"lgg": "glioma", "none": "healthy", "odd": ""}
    names = ("lgg", "no_tumor", "odd", "hgg")
    assert [apply_map(name, pairs) for name in names] == ["glioma", "healthy", "", "hgg"]


def test_the_folders_own_name_wins_over_its_label() -> None:
    pairs = {"no_tumor": "control", "none": "healthy"}
    assert apply_map("no_tumor", pairs) == "control"
    assert apply_map("notumor", pairs) == "healthy"


@pytest.mark.parametrize("text", ["yes=tumour,no", "=tumour", "yes=tumour,  =none"])
def test_a_pair_without_name_or_sign_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected NAME=LABEL"):
        parse_map(text)  # read as `no=` it would leave a whole class out


def test_no_map_changes_nothing() -> None:
    assert parse_map("") == {}
    assert apply_map("yes", {}) == "tumour"


def test_a_map_may_be_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('"grade 2" = "low"\nyes = ""\n')
    assert parse_map(str(path)) == {"grade 2": "low", "yes": ""}


@pytest.mark.parametrize("content", ["yes = 1", "[yes]\nlabel = 'a'", "yes = ['a']"])
def test_a_file_of_other_things_shows_the_line_it_expects(tmp_path: Path, content: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r'map\.toml: expected lines like yes = "tumour"'):
        parse_map(str(path))


def test_broken_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("yes: tumour")
    with pytest.raises(ConfigError, match=r"map\.toml: is not readable TOML"):
        parse_map(str(tmp_path / "map.toml"))


def test_a_mistyped_map_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"--label-map typs: no such file.+did you mean 'types'"):
        parse_map("typs")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("../../shared/mri/sartaj/Testing/glioma_tumor/image(1).jpg", "sartaj"),
        ("navoneel/yes/Y1.jpg", "navoneel"),
        ("Training/glioma/patient7/3.png", ""),
        ("scans/cats/3.png", "scans"),
        ("3.png", ""),
    ],
)
def test_the_source_is_the_folder_of_the_class_folders(path: str, source: str) -> None:
    assert source_of(path) == source
