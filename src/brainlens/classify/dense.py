"""Owns the dense classifier: evidence for a tumour place by place, and its kind where it is found.

A pyramid (Lin et al. 2017, Feature Pyramid Networks) of the backbone's three coarsest maps gives a
map of evidence, one logit a cell. The strongest cells decide whether there is a tumour; what it is,
is read where the evidence lies. A cell outside every outline counts as healthy, so the look of the
whole scan (its contrast, its scanner) cannot stand in for the tumour. The whole picture is asked
too, by a linear reading of the same features (`context`) or by classifiers of their own
(`companion`), and believed as far as held-out pictures bear it out (`trust`, see context.py).
Networks of this kind that were trained apart (`peers`) share in the evidence: its mean errs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainlens.classify.backbones import backbone
from brainlens.classify.committee import Committee
from brainlens.classify.stages import pyramid, stages

_WIDTH = 96  # channels of the pyramid
_SHARE = 0.015  # of the cells: the strongest decide
_CELLS = 5.0  # weight of the cells in the loss: their mean is small, since most show nothing
_RARE = 4.0  # weight of a cell that shows a tumour
_FIRST = -3.0  # logit of a cell before training: few cells show a tumour


class Evidence(NamedTuple):
    """What the network finds in N pictures."""

    cells: Tensor  # (N, h, w) logits of a tumour
    tumour: Tensor  # (N,) logit of any tumour in the picture
    kinds: Tensor  # (N, K - 1) logits of its kind, were there one
    whole: Tensor  # (N, K) logits of the classes by the whole picture
    features: Tensor  # (N, F) what the kind is read from


class DenseClassifier(nn.Module):
    """A backbone, a pyramid, evidence and kinds; final."""

    def __init__(
        self, name: str, *, size: int, classes: int, background: int, dropout: float,
        companion: Committee | None = None, peers: Sequence[DenseClassifier] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone = backbone(name).build()
        self.background = background
        self.eval()
        with torch.no_grad():
            maps = pyramid(stages(self.backbone), torch.zeros(1, 3, size, size))
        self.train()
        self.lateral = nn.ModuleList(nn.Conv2d(int(m.shape[1]), _WIDTH, 1) for m in maps)
        self.mix = nn.ModuleList(_mixer(_WIDTH) for _ in maps[1:])
        self.spot = nn.Conv2d(_WIDTH, 1, 1)
        nn.init.constant_(self.spot.bias, _FIRST)  # type: ignore[arg-type]
        self.scale = nn.Parameter(torch.tensor([1.0, 0.0]))  # of the strongest cells' mean
        self.dropout = nn.Dropout(dropout)
        features = _WIDTH + 2 * int(maps[0].shape[1])
        self.kind = nn.Linear(features, classes - 1)
        self.context = nn.Linear(features, classes).requires_grad_(False)
        # Of the evidence, of the context and a constant for a tumour; of both for its kind.
        self.trust = nn.Parameter(torch.tensor([1.0, 0, 0, 1, 0]), requires_grad=False)
        self.companion = companion  # (N, 3, H, W) to (N, K) logits, in the context's place
        self.peers = nn.ModuleList(peers)  # asked as this one is

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities (N, K), which are logits too."""
        return self.answer(self.evidence(x))

    def answer(self, found: Evidence) -> Tensor:
        """Log-probabilities (N, K): no tumour, or a tumour and its kind."""
        whole, which = self.second(found.whole)
        tumour = self.trust[0] * found.tumour + self.trust[1] * whole + self.trust[2]
        kinds = F.log_softmax(self.trust[3] * found.kinds + self.trust[4] * which, 1)
        none = F.logsigmoid(-tumour)[:, None]
        kinds = F.logsigmoid(tumour)[:, None] + kinds
        return torch.cat([kinds[:, : self.background], none, kinds[:, self.background :]], 1)

    def second(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes (N, K) as those of a tumour (N,) and of its kind (N, K - 1)."""
        which = torch.cat([whole[:, : self.background], whole[:, self.background + 1 :]], 1)
        return which.logsumexp(1) - whole[:, self.background], which

    def evidence(self, x: Tensor) -> Evidence:
        """What is found in (N, 3, H, W) normalised pictures."""
        return self.look(x)[0]

    def look(self, x: Tensor) -> tuple[Evidence, Tensor]:
        """What is found in (N, 3, H, W) pictures, and the backbone's finest map of them."""
        found, fine = self.look_alone(x)
        found = _shared([found, *(cast(DenseClassifier, peer).evidence(x) for peer in self.peers)])
        if self.companion is not None:
            found = found._replace(whole=self.companion(x))
        return found, fine

    def look_alone(self, x: Tensor) -> tuple[Evidence, Tensor]:
        """As `look`, without asking the others: the features are the same."""
        maps = pyramid(stages(self.backbone), x)
        return self._evidence(maps), maps[-1]

    def _evidence(self, maps: Sequence[Tensor]) -> Evidence:
        """What is found in the backbone's maps, coarsest first."""
        h = self.lateral[0](maps[0])
        for lateral, mix, finer in zip(self.lateral[1:], self.mix, maps[1:], strict=True):
            up = F.interpolate(h, finer.shape[2:], mode="nearest")
            h = mix(up + lateral(finer))  # (N, 96, H/8, W/8) at last
        cells = self.spot(h)  # (N, 1, H/8, W/8)
        smooth = F.avg_pool2d(cells, 3, 1, 1, count_include_pad=False).flatten(1)
        strongest = smooth.topk(max(1, round(_SHARE * smooth.shape[1])), 1).values.mean(1)
        tumour = strongest * self.scale[0] + self.scale[1]
        gaze = smooth.detach().softmax(1)[:, None]  # (N, 1, cells): where to look
        near = (h.flatten(2) * gaze).sum(2)
        coarse = _shrunk(gaze.reshape(cells.shape), maps[0]).flatten(2)
        deep = maps[0].flatten(2)
        there = (deep * (coarse / coarse.sum(2, keepdim=True))).sum(2)
        features = torch.cat([near, there, deep.mean(2)], 1)
        kinds = self.kind(self.dropout(features))
        return Evidence(cells[:, 0], tumour, kinds, self.context(features), features)


def _shared(each: Sequence[Evidence]) -> Evidence:
    """The first one's, with the mean evidence of all."""
    if len(each) == 1:
        return each[0]
    cells, tumour, kinds = (
        torch.stack(parts).mean(0) for parts in list(zip(*each, strict=True))[:3]
    )  # fmt: skip
    return each[0]._replace(cells=cells, tumour=tumour, kinds=kinds)


def _shrunk(x: Tensor, like: Tensor) -> Tensor:
    """(N, C, H, W) averaged to the height and width of another map."""
    return F.adaptive_avg_pool2d(x, (int(like.shape[-2]), int(like.shape[-1])))


def _mixer(width: int) -> nn.Module:
    """A depthwise-separable 3x3 convolution."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def dense_loss(
    found: Evidence, classes: Tensor, outlines: Tensor, outlined: Tensor, *, background: int,
    weight: Tensor | None, label_smoothing: float,
) -> Tensor:  # fmt: skip
    """Cells against outlines, the picture against its class, the kind against the tumour's.

    `classes` -1: some tumour of unknown kind. `outlines` (N, H, W) in 0..1 as augmented: a close-up
    that has lost the tumour shows none, one that shows a rest of it is left out of the picture's
    part. `weight` (K,) balances the classes.
    """
    share = _shrunk(outlines[:, None], found.cells)[:, 0]  # of each cell
    sick = classes != background
    seen = (share > 0.5).flatten(1).sum(1)
    gone = sick & outlined & (share.flatten(1).sum(1) < 0.1)
    unclear = sick & outlined & ~gone & (seen < 4)
    per_cell = F.binary_cross_entropy_with_logits(
        found.cells.float(), share, reduction="none", pos_weight=found.cells.new_tensor(_RARE)
    ).mean((1, 2))
    cells = (per_cell * outlined).sum() / outlined.sum().clamp(min=1)
    target = (sick & ~gone).float() * (1 - label_smoothing) + label_smoothing / 2
    picture = F.binary_cross_entropy_with_logits(found.tumour.float(), target, reduction="none")
    clear = (~unclear).float()
    picture = (picture * clear).sum() / clear.sum().clamp(min=1)
    known = (classes >= 0) & sick & ~gone
    if not known.any():
        return _CELLS * cells + picture
    kinds = classes[known] - (classes[known] > background).long()
    others = None if weight is None else torch.cat([weight[:background], weight[background + 1 :]])
    kind = F.cross_entropy(
        found.kinds[known].float(), kinds, others, label_smoothing=label_smoothing
    )
    return _CELLS * cells + picture + kind
