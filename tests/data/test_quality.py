"""Faults planted in scans are flagged, scans are not, and flags live beside other notes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from brainlens.core.images import find_images, open_image, read_grey, to_grey
from brainlens.core.seeding import generator
from brainlens.data.index import Row
from brainlens.data.measures import colourfulness
from brainlens.data.quality import CHECKS, flag_row, flag_rows, flagged, measure, name_of, unfit
from brainlens.data.shrinking import Grey


def head(size: int = 256, *, ground: int = 4) -> Image.Image:
    """A drawn axial slice: scalp, skull, brain with folds, ventricles, on a dark ground."""
    image = Image.new("L", (size, size), ground)
    draw = ImageDraw.Draw(image)
    s = size / 256
    for box, level in (
        ((48, 28, 208, 228), 190), ((54, 34, 202, 222), 30), ((60, 40, 196, 216), 110),
        ((112, 100, 124, 150), 35), ((132, 100, 144, 150), 35),
    ):  # fmt: skip
        draw.ellipse([round(v * s) for v in box], fill=level)
    for x in range(76, 184, 12):
        for y in (60, 80, 170, 190):
            draw.line([round(v * s) for v in (x, y, x + 7, y + 10)], fill=60, width=round(2 * s))
    noise = generator("head").normal(0, 2, (size, size))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def flags(image: Image.Image | Grey) -> set[str]:
    """The names of the flags of a picture."""
    return set(flagged(measure(np.asarray(image))))


def lettered(image: Image.Image, text: str, place: tuple[int, int], size: int = 14) -> Image.Image:
    """The picture with white text on it."""
    done = image.copy()
    ImageDraw.Draw(done).text(place, text, fill=255, font=ImageFont.load_default(size))
    return done


def page(ground: int, ink: int) -> Image.Image:
    """A page of text."""
    image = Image.new("L", (400, 500), ground)
    draw = ImageDraw.Draw(image)
    for line in range(28):
        draw.text((20, 15 + 16 * line), "the slice that was none " * 2, fill=ink)
    return image


@pytest.mark.parametrize("size", [160, 256, 512])
def test_a_slice_has_no_flag(size: int) -> None:
    assert flags(head(size)) == set()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_constant_picture_is_blank_and_nothing_is_said_of_its_sharpness(level: int) -> None:
    measured = measure(np.full((200, 200), level, np.uint8))
    assert "blank" in flagged(measured)
    assert math.isnan(measured["blurred"])
    assert not {"blurred", "inverted", "not-a-slice", "text"} & set(flagged(measured))


def test_a_nearly_black_slice_is_dark() -> None:
    assert "dark" in flags(head().point([value // 10 for value in range(256)]))


@pytest.mark.parametrize("size", [160, 256, 512])
@pytest.mark.parametrize("share", [0.01, 0.02])
def test_a_blur_is_seen_at_every_size(size: int, share: float) -> None:
    assert flags(head(size).filter(ImageFilter.GaussianBlur(share * size))) == {"blurred"}


def test_sharpness_knows_no_contrast() -> None:
    faint = head().point([value // 2 for value in range(256)])
    assert measure(np.asarray(faint))["blurred"] == pytest.approx(
        measure(np.asarray(head()))["blurred"], rel=0.1
    )


def test_noise_on_a_blur_does_not_pass_for_detail() -> None:
    soft = np.asarray(head().filter(ImageFilter.GaussianBlur(4)), np.float64)
    noisy = soft + generator("noise").normal(0, 3, soft.shape)
    assert "blurred" in flags(np.clip(noisy, 0, 255).astype(np.uint8))


def test_small_files_are_tiny_and_strips_have_an_odd_size() -> None:
    assert "tiny" in flags(head().resize((100, 100)))
    assert flags(ImageOps.expand(head(), (0, 0, 256, 0), 4)) >= {"odd-size"}


def test_the_size_is_that_of_the_file() -> None:
    grey = np.asarray(head())
    assert "tiny" in flagged(measure(grey, width=100, height=100))
    assert "odd-size" in flagged(measure(grey, width=500, height=250))


@pytest.mark.parametrize(("width", "level"), [(1, 255), (4, 255), (20, 255), (5, 110)])
def test_a_frame_is_a_border_of_four_sides_and_nothing_else(width: int, level: int) -> None:
    picture = ImageOps.expand(head(), width, level)
    assert flagged(measure(np.asarray(picture))) == {"border": 4.0}


def test_one_white_panel_is_a_border_of_one_side() -> None:
    panel = ImageOps.expand(head(), (60, 0, 0, 0), 255)
    assert flagged(measure(np.asarray(panel))) == {"border": 1.0}


def test_a_dark_or_noisy_background_is_no_border() -> None:
    assert "border" not in flags(ImageOps.expand(head(ground=0), 10, 0))
    assert "border" not in flags(head(ground=45))


@pytest.mark.parametrize("place", [(6, 6), (190, 236)])
def test_text_in_a_corner_is_found(place: tuple[int, int]) -> None:
    assert flags(lettered(head(), "R 12", place)) == {"text"}


def test_a_negative_is_inverted_yet_still_a_slice() -> None:
    assert flags(ImageOps.invert(head())) == {"inverted"}


def test_a_page_of_text_is_no_slice() -> None:
    assert "not-a-slice" in flags(page(255, 0))


def test_a_page_of_white_text_on_black_is_text_at_least() -> None:
    assert measure(np.asarray(page(0, 255)))["text"] >= 5


def test_noise_and_line_drawings_are_no_slices() -> None:
    noise = generator("snow").integers(0, 256, (256, 256)).astype(np.uint8)
    assert "not-a-slice" in flags(noise)
    cartoon = Image.new("L", (300, 300), 230)
    ImageDraw.Draw(cartoon).ellipse((60, 60, 240, 240), fill=215, outline=0, width=4)
    assert "not-a-slice" in flags(cartoon)


def test_a_coloured_picture_is_no_slice_though_its_grey_one_might_be() -> None:
    red = Image.merge("RGB", (head(), Image.new("L", (256, 256)), Image.new("L", (256, 256))))
    grey, colour = to_grey(red), colourfulness(red)
    assert 0.3 < colour < 0.7  # the head, not the ground
    assert flagged(measure(grey)) == {}
    assert set(flagged(measure(grey, colour=colour))) == {"not-a-slice"}


def test_a_coloured_letter_on_a_slice_does_not_make_it_a_photo() -> None:
    marked = head().convert("RGB")
    font = ImageFont.load_default(24)
    ImageDraw.Draw(marked).text((8, 8), "R", fill=(255, 40, 40), font=font)
    assert 0 < colourfulness(marked) < 0.1
    assert "not-a-slice" not in flagged(measure(to_grey(marked), colour=colourfulness(marked)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I", "F", "P", "RGB", "RGBA", "CMYK"])
def test_grey_is_not_coloured_in_any_mode(mode: str) -> None:
    grey = Image.new("L", (60, 40), 90)
    assert colourfulness(grey.convert(mode) if mode != "I;16" else Image.new(mode, (9, 9))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (40, 20), (17, 17)])
def test_any_shape_can_be_measured(shape: tuple[int, int]) -> None:
    picture = generator("shape").integers(0, 256, shape).astype(np.uint8)
    assert "tiny" in flags(picture)


def test_the_picture_is_left_as_it_was() -> None:
    grey = np.asarray(head()).copy()
    before = grey.copy()
    grey.flags.writeable = False
    measure(grey)
    assert (grey == before).all()


def row(notes: str = "") -> Row:
    """A row with some notes."""
    return Row("a.png", "none", "d", "p", 256, 256, "L", "g", flags=notes)


def test_flags_join_other_notes_and_replace_their_own_of_old() -> None:
    measured = measure(np.asarray(head().filter(ImageFilter.GaussianBlur(5))))
    once = flag_row(row("second-label=glioma;tiny=90"), measured)
    assert once.flags == f"second-label=glioma;blurred={measured['blurred']:.3g}"
    assert flag_row(once, measured) == once
    assert flag_rows([once], [measure(np.asarray(head()))])[0].flags == "second-label=glioma"


def test_a_frame_is_kept_and_a_blank_picture_is_dropped() -> None:
    assert unfit(row("border=4;text=2;second-label=glioma;inverted=0.3")) == []
    assert unfit(row("border=4;blank=0;not-a-slice=-1.2")) == ["blank", "not-a-slice"]


def test_every_check_says_why() -> None:
    assert all(check.why and ";" not in name + name_of(name) for name, check in CHECKS.items())


def rate(files: list[Path], *names: str) -> float:
    """The share of files with one of these flags."""

    def found(file: Path) -> bool:
        image = open_image(file)
        measured = measure(to_grey(image), colour=colourfulness(image))
        return bool(set(flagged(measured)) & set(names))

    return sum(map(found, files)) / len(files)


@pytest.mark.slow
def test_few_real_slices_are_called_unfit(shared: Path) -> None:
    drop = [name for name, check in CHECKS.items() if check.drop]
    scans = find_images(shared / "data/mri")[::10]
    assert rate(scans, *drop) <= 0.01
    cheng = find_images(shared / "data/mri/figshare_extra")[::4]
    assert rate(cheng, "text", "border", "inverted") <= 0.02  # they have none


@pytest.mark.slow
def test_most_paintings_and_photos_are_no_slices(shared: Path) -> None:
    assert rate(find_images(shared / "data/sr/Set14"), "not-a-slice") == 1
    paintings = find_images(shared / "data/vangogh2photo/trainA_vangogh")[::4]
    assert rate(paintings, "not-a-slice") == 1
    assert rate(find_images(shared / "data/vangogh2photo/trainB_photo")[::2], "not-a-slice") >= 0.9


@pytest.mark.parametrize(("file", "sides"), [("yes/Y89.JPG", 4), ("no/No16.jpg", 2)])
def test_the_white_frames_of_real_scans_are_found(shared: Path, file: str, sides: int) -> None:
    # Looked at: a white frame all round, and a white panel at either side.
    assert measure(read_grey(shared / "data/mri/navoneel" / file))["border"] == sides
