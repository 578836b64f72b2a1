"""Owns the loss of a whole picture: its class, or as much of it as is known.

Enters: logits (N, K) and classes (N,), -1 for a picture of which only is known that it is not the
background. Leaves: a number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def partial_loss(
    logits: Tensor, classes: Tensor, *, background: int, weight: Tensor | None,
    label_smoothing: float,
) -> Tensor:  # fmt: skip
    """Cross-entropy where the class is known; else the surprise that it is any but the background.

    `weight` (K,) balances the known classes. The two parts count by their pictures.
    """
    known = classes >= 0
    if known.all():
        return F.cross_entropy(logits, classes, weight, label_smoothing=label_smoothing)
    rest = torch.cat([logits[:, :background], logits[:, background + 1 :]], 1)
    some = (logits.logsumexp(1) - rest.logsumexp(1))[~known].sum()
    if not known.any():
        return some / len(classes)
    full = F.cross_entropy(logits[known], classes[known], weight, label_smoothing=label_smoothing)
    return (full * known.sum() + some) / len(classes)
