"""Owns randomness: it is passed as a seed, and derived, never ambient.

Sample i of epoch e depends on (seed, e, i) alone, whatever the batch or the number of processes.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(*parts: int | str) -> int:
    """A 63-bit seed from its parts: equal parts, equal seed; other parts, an unrelated one."""
    # A single slash divides, one inside a part is doubled: ("a/str:b",) is not ("a", "b").
    marked = (f"{type(part).__name__}:{part}".replace("/", "//") for part in parts)
    return int.from_bytes(hashlib.sha256("/".join(marked).encode()).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """A NumPy generator that depends on `parts` alone."""
    return np.random.default_rng(derive(*parts))


def seed_everything(*parts: int | str) -> int:
    """Seed the global generators of Python, NumPy and torch: once per command, or per epoch."""
    import random

    import torch

    seed = derive(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return seed
