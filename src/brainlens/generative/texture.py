"""Owns texture as Gatys et al. 2016 measure it: which of VGG16's features go together.

Enters: a drawn painting and the photo it is of, (N, 3, H, W), -1 to 1. Leaves: how far its
texture is from the paintings' and how far its content is from the photo's, each as a share of
what it is compared with. A judge of patches needs very many pictures to learn strokes; this does
not, so a small generator paints after an hour instead of days (Johnson et al. 2016, 1603.08155).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from brainlens.core.progress import track
from brainlens.generative.lpips import features, imagenet_input, trunk

_TAPS = (3, 8, 15)  # relu1_2, relu2_2, relu3_3: strokes, not objects
# Parts a side of a drawing, each of which must have the paintings' texture: over the whole drawing,
# a few clumps of strokes on flat ground would have it too.
_PARTS = 4


class Texture(nn.Module):
    """The mean texture of paintings, and the distance of drawings to it; final."""

    def __init__(self, paintings: Sequence[Tensor]) -> None:
        """`paintings`: (3, H, W), -1 to 1; raises WeightsError where VGG16 cannot be had."""
        super().__init__()
        self.trunk = trunk()[: max(_TAPS) + 1]
        sums = [torch.zeros(())] * len(_TAPS)
        with torch.inference_mode():
            for painting in track(paintings, "looking at the strokes", len(paintings)):
                seen = [gram(one)[0] for one in self._seen(painting[None])]
                sums = [total + one for total, one in zip(sums, seen, strict=True)]
        for tap, total in zip(_TAPS, sums, strict=True):
            self.register_buffer(f"mean_{tap}", (total / len(paintings)).clone())

    def _seen(self, pictures: Tensor) -> list[Tensor]:
        return features(self.trunk, imagenet_input((pictures + 1) / 2), _TAPS)

    def forward(self, drawn: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to the paintings' texture, and to the photo's content; 0 is equal."""
        maps = self._seen(drawn)
        with torch.no_grad():
            wanted = self._seen(photo)[-1]
        texture = torch.stack(
            [
                share(gram(parts(one, _PARTS)), self.get_buffer(f"mean_{tap}"))
                for tap, one in zip(_TAPS, maps, strict=True)
            ]
        ).mean()
        return texture, share(maps[-1], wanted)


def parts(maps: Tensor, side: int) -> Tensor:
    """(N, C, H, W) as its `side` x `side` parts, (N side side, C, H / side, W / side)."""
    count, channels, height, width = maps.shape
    high, wide = height // side, width // side
    cut = maps[:, :, : high * side, : wide * side]
    cut = cut.reshape(count, channels, side, high, side, wide).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(-1, channels, high, wide)


def gram(maps: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, C): the mean product of every two features."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def share(got: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance over the squared length of what is wanted."""
    return (got - wanted).square().sum() / wanted.expand_as(got).square().sum()
