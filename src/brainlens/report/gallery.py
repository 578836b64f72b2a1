"""Owns what the audit's page shows: leaked pairs, label conflicts, twins and flagged images.

Enters: `audit.json` as read, and the indices whose images it speaks of. Leaves: sections of cards
of tiles, as gallery.html lays them out. Each section is a sample: it says of how many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from brainlens.data import symmetry
from brainlens.data.grouping import Components
from brainlens.data.index import Index
from brainlens.data.leakage import exclude
from brainlens.report.artefacts import Document
from brainlens.report.names import Names
from brainlens.report.thumbnails import Thumbnails

View = dict[str, Any]
T = TypeVar("T")

# Cards of a section, and tiles of a card, at most.
LEAKS, CONFLICTS, GROUPS, FAINT, FLAGGED = 24, 20, 16, 24, 12
TILES = 8
_SEEN = {"test": "in train or val", "val": "in train"}


class Match(NamedTuple):
    """How two pictures are one."""

    r: float
    turn: int  # the symmetry that lays the second on the first


Matches = Mapping[tuple[str, str], Match]  # by pixel digests


class Album:
    """The pictures of one index, and what they are called."""

    def __init__(self, index: Index, thumbnails: Thumbnails, name: Callable[[str], str]) -> None:
        self._index, self._thumbnails, self._name = index, thumbnails, name
        self._rows = {row.path: row for row in index.rows}

    def tile(self, path: str, note: str = "", turned: int = 0) -> View:
        """One picture with its name, its label and a note; `src` is empty where it is not shown."""
        row = self._rows.get(path)
        source = self._thumbnails.of(self._index.file(row), turned) if row else ""
        label = row.label if row else ""
        return {"src": source, "name": self._name(path), "label": label, "note": note}

    def digest(self, path: str) -> str:
        """What its pixels are known by."""
        row = self._rows.get(path)
        return row.pixel_digest if row else path


NOWHERE = Index((), Path())


def galleries(
    document: Document, index: Index, other: Index, thumbnails: Thumbnails, names: Names
) -> list[View]:
    """The sections of an audit's gallery, the gravest first; empty ones are left out."""
    own, their = (
        Album(index, thumbnails, names.own),
        Album(other, thumbnails, names.other),
    )
    within = matches(document["pairs"], own, own)
    held = document.get("comparison") or {"images": [], "conflicts": [], "pairs": []}
    across = matches(held.get("pairs", []), own, their)
    sections = [
        _leaks(f"{side} images, each beside what is {_SEEN[side]}", found, own, own, within)
        for side, found in document["leaks"].items()
    ]
    sections += [
        _leaks("images that the other index holds too", held, own, their, across),
        _conflicts(document["conflicts"], held["conflicts"], own, their),
        _groups(document["pairs"], own, index),
        _faint(document["pairs"], own),
        *_flags(document["flagged"], document["flags"], own),
    ]
    return [section for section in sections if section["cards"]]


def matches(pairs: Iterable[Document], own: Album, their: Album) -> Matches:
    """The twins by pixel digests, in both directions."""
    found: dict[tuple[str, str], Match] = {}
    for pair in pairs:
        one, other = own.digest(pair["one"]), their.digest(pair["other"])
        turn = symmetry.NAMES.index(pair["transform"])
        found[one, other] = Match(pair["r"], turn)
        found[other, one] = Match(pair["r"], symmetry.inverse(turn))
    return found


def spread(items: Sequence[T], key: Callable[[T], Hashable], most: int) -> list[T]:
    """At most `most` items, dealt in turn from each key, so that no class hides another."""
    turns: defaultdict[Hashable, int] = defaultdict(int)
    ranked = []
    for item in items:
        ranked.append(turns[key(item)])
        turns[key(item)] += 1
    order = sorted(range(len(items)), key=lambda i: (ranked[i], i))
    return [items[i] for i in sorted(order[:most])]


def _section(title: str, words: str, cards: Sequence[View], of: int) -> View:
    return {"title": title, "words": words, "cards": cards, "of": of}


def _leaks(title: str, found: Document, own: Album, seen: Album, known: Matches) -> View:
    """Pairs: the judged image, what was seen, and that turned as the first one lies."""
    images = found["images"]
    few = spread(images, lambda leak: (leak["label"], leak["kind"]), LEAKS)
    words = "Left the image that is judged, beside it the one that gives it away."
    return _section(title, words, [_leak(leak, own, seen, known) for leak in few], len(images))


def _leak(leak: Document, own: Album, seen: Album, known: Matches) -> View:
    match = known.get((own.digest(leak["path"]), seen.digest(leak["seen"])))
    if leak["kind"] == "copy":
        words = "exact copy"
    elif match is None:
        words = "of one group: a patient, or twins of twins"
    else:
        words = f"twin, r {match.r:.3f}"
    if exclude(leak["label"], leak["seen_label"]):
        words += ", two labels"
    tiles = [own.tile(leak["path"], "judged"), seen.tile(leak["seen"], "seen")]
    return {"words": words, "tiles": tiles + _turned(seen, leak["seen"], match)}


def _turned(album: Album, path: str, match: Match | None) -> list[View]:
    """The second picture as the first one lies, where that is another way."""
    if match is None or not match.turn:
        return []
    return [album.tile(path, symmetry.NAMES[match.turn], match.turn)]


def _conflicts(
    within: Sequence[Document], across: Sequence[Document], own: Album, their: Album
) -> View:
    """One picture or group, several labels."""
    cards = [_conflict(one, own, own) for one in within[:CONFLICTS]]
    cards += [_conflict(one, own, their) for one in across[: CONFLICTS - len(cards)]]
    words = "A copy or twin with two labels is wrong once; a second label is the manifest's."
    return _section("label conflicts", words, cards, len(within) + len(across))


def _conflict(one: Document, own: Album, rest: Album) -> View:
    paths, labels = one["paths"], one["labels"]
    if len(paths) < len(labels):
        tiles = [own.tile(paths[0], f"or {labels[1]}")]
    else:
        # Both labels must be seen, however many images share the first.
        albums = [own, *[rest] * (len(paths) - 1)]
        few = spread(list(zip(albums, paths, labels, strict=True)), lambda item: item[2], TILES)
        tiles = [album.tile(path) for album, path, _ in few]
    return {"words": f"{one['kind']}: {' or '.join(sorted(set(labels)))}", "tiles": tiles}


def _groups(pairs: Sequence[Document], own: Album, index: Index) -> View:
    """The largest clusters of twins, each distinct picture once."""
    copies: defaultdict[str, list[str]] = defaultdict(list)
    for row in index.rows:
        copies[row.pixel_digest].append(row.path)
    place = {digest: i for i, digest in enumerate(copies)}
    clusters = Components(len(place))
    for pair in pairs:
        clusters.join(place[own.digest(pair["one"])], place[own.digest(pair["other"])])
    members: defaultdict[int, list[str]] = defaultdict(list)
    for digest, i in place.items():
        members[clusters.find(i)].append(digest)
    twins = sorted((c for c in members.values() if len(c) > 1), key=len, reverse=True)
    cards = []
    for digests in twins[:GROUPS]:
        files = sum(len(copies[digest]) for digest in digests)
        tiles = [
            own.tile(paths[0], f"{len(paths)} copies" if len(paths) > 1 else "")
            for paths in (copies[digest] for digest in digests[:TILES])
        ]
        cards.append({"words": f"{len(digests)} pictures in {files} files", "tiles": tiles})
    words = "Each distinct picture once; a twin of a twin is in the same group."
    return _section("the largest groups of twins", words, cards, len(twins))


def _faint(pairs: Sequence[Document], own: Album) -> View:
    """The twins that are least alike: if the audit errs, then here."""
    cards = []
    for pair in sorted(pairs, key=lambda pair: float(pair["r"]))[:FAINT]:
        match = Match(pair["r"], symmetry.NAMES.index(pair["transform"]))
        tiles = [own.tile(pair["one"]), own.tile(pair["other"])]
        tiles += _turned(own, pair["other"], match)
        cards.append({"words": f"r {match.r:.3f}", "tiles": tiles})
    words = "If the audit takes two pictures for one by mistake, then most likely here."
    return _section("the twins that are least alike", words, cards, len(pairs))


def _flags(flagged: Sequence[Document], flags: Mapping[str, Document], own: Album) -> list[View]:
    """One section a flag, the farthest beyond its threshold first."""
    raised: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for image in flagged:
        for note in image["flags"]:
            name, _, value = note.partition("=")
            raised[name].append((float(value), image["path"]))
    sections = []
    for name, flag in flags.items():
        worst = sorted(raised[name], reverse=not flag["beyond"].startswith("<"))
        cards = [
            {"words": "", "tiles": [own.tile(path, f"{value:g}")]}
            for value, path in worst[:FLAGGED]
        ]
        words = f"Flagged where {flag['beyond']}: {flag['why']}."
        sections.append(_section(f"flag {name}", words, cards, len(worst)))
    return sections
