"""Owns groups: images that share a copy, a twin or a patient are one group, transitively."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence


class Components:
    """Connected components of `n` items, joined pair by pair (union-find)."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, item: int) -> int:
        """The representative of the item's component."""
        root = item
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[item] != root:
            self._parent[item], item = root, self._parent[item]
        return root

    def join(self, one: int, other: int) -> None:
        """Make the components of both items one."""
        self._parent[self.find(one)] = self.find(other)

    def join_equal(self, keys: Sequence[str]) -> None:
        """Join all items of one key; an empty key joins nothing."""
        first: dict[str, int] = {}
        for item, key in enumerate(keys):
            if key:
                self.join(item, first.setdefault(key, item))


def name_groups(pixel_digests: Sequence[str], keys: Iterable[Sequence[str]]) -> list[str]:
    """A group name for each image, from columns of keys that join (digest, patient, twins ...).

    The name comes from the smallest pixel digest of its members, so equal names in two indexes
    mean that they share a picture.
    """
    components = Components(len(pixel_digests))
    components.join_equal(pixel_digests)
    for column in keys:
        components.join_equal(column)
    members: defaultdict[int, list[str]] = defaultdict(list)
    for item, digest in enumerate(pixel_digests):
        members[components.find(item)].append(digest)
    names = {root: f"g-{min(digests)[:16]}" for root, digests in members.items()}
    return [names[components.find(item)] for item in range(len(pixel_digests))]
