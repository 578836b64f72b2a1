"""Tiles cover a picture once, and nobody can see where they met."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlens.core.interpolation import resize
from brainlens.generative.tiles import OVERLAP, enlarge_in_tiles, ramps, spans, tile_count


@given(st.integers(1, 3000), st.integers(3 * OVERLAP, 400))
def test_tiles_cover_the_line_and_overlap_enough(length: int, tile: int) -> None:
    parts = spans(length, tile)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert len({end - start for start, end in parts}) == 1
    assert parts[0][1] <= tile
    for (_, end), (start, _) in itertools.pairwise(parts):
        assert end - start >= OVERLAP - 1


@given(st.integers(1, 500), st.integers(3 * OVERLAP, 100), st.integers(1, 4))
def test_weights_add_up_to_one_everywhere(length: int, tile: int, scale: int) -> None:
    parts = spans(length, tile)
    total = np.zeros(length * scale)
    for (start, end), weight in zip(parts, ramps(parts, scale), strict=True):
        total[start * scale : end * scale] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


def whole(picture: np.ndarray, enlarge: object, tile: int, scale: int = 4) -> np.ndarray:
    """A picture enlarged in tiles, as floats."""
    pieces = enlarge_in_tiles(
        lambda top, bottom, left, right: picture[top:bottom, left:right],
        enlarge,  # type: ignore[arg-type]
        lambda values: values.copy(),
        height=picture.shape[0], width=picture.shape[1], scale=scale, tile=tile,
    )  # fmt: skip
    found = list(pieces)
    assert found[-1][1] == tile_count(picture.shape[0], picture.shape[1], tile)
    return np.concatenate([rows for rows, _ in found if rows is not None])


@pytest.mark.parametrize("shape", [(130, 70, 1), (60, 200, 3), (129, 131, 4)])
def test_interpolating_in_tiles_is_interpolating_at_once(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)

    def enlarge(part: np.ndarray) -> np.ndarray:
        return resize(part, part.shape[0] * 4, part.shape[1] * 4)

    np.testing.assert_allclose(whole(picture, enlarge, 50), enlarge(picture), atol=1e-5)


def test_no_seam_on_a_gradient_even_where_tiles_disagree() -> None:
    """Each tile adds an offset of its own: blended, no step between pixels may exceed its share."""
    across = np.linspace(0, 1, 200, dtype=np.float32)
    picture = np.broadcast_to(across[None, :, None], (120, 200, 1)).copy()
    offsets = iter([0.0, 0.1] * 50)

    def enlarge(part: np.ndarray) -> np.ndarray:
        big = resize(part, part.shape[0] * 4, part.shape[1] * 4, "bilinear")
        return big + next(offsets)

    done = whole(picture, enlarge, 64)
    steps = np.abs(np.diff(done[..., 0], axis=1)).max()
    blend = OVERLAP * 4 / 2  # pixels over which an offset of 0.1 is spread
    assert steps <= 1 / 199 / 4 + 0.1 / blend * 1.2


def test_what_a_network_makes_of_its_border_is_thrown_away() -> None:
    """A generator that spoils the 4 outer pixels of every tile spoils only those of the picture."""
    picture = np.full((100, 100, 1), 0.5, np.float32)

    def enlarge(part: np.ndarray) -> np.ndarray:
        big = resize(part, part.shape[0] * 4, part.shape[1] * 4, "nearest")
        spoiled = np.full_like(big, 9.0)
        spoiled[15:-15, 15:-15] = big[15:-15, 15:-15]
        return spoiled

    done = whole(picture, enlarge, 64)
    np.testing.assert_allclose(done[16:-16, 16:-16], 0.5, atol=1e-6)
