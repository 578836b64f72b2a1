"""Make the hash manifest of the public sets that comes with the package.

In: the shared scans and their manifest.csv ($BRAINLENS_SHARED or ../shared). Out: digests, compact
descriptors, labels, Cheng's slice numbers and twin groups; no pixels and no patients:

    python tools/hash_known_sets.py -o src/brainlens/data/known_sets.npz

The same scans give the same file, byte for byte.
"""

import argparse
import csv
import hashlib
from pathlib import Path

from brainlens.core.images import read_grey
from brainlens.core.places import shared_folder
from brainlens.data.descriptor import Array, describe, frame_of
from brainlens.data.hashes import save_hashes
from brainlens.data.index import Row
from brainlens.data.known_sets import FILE
from brainlens.data.labels import canonical


def main() -> None:
    """Decode every scan once, describe it, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=FILE, dest="out")
    asked = parser.parse_args()
    shared = shared_folder()
    if shared is None:
        raise SystemExit("needs the shared scans: set BRAINLENS_SHARED")
    root = shared / "data" / "mri"
    with (root / "manifest.csv").open(encoding="utf-8-sig", newline="") as stream:
        facts = list(csv.DictReader(stream))
    rows: list[Row] = []
    frames: dict[str, Array] = {}
    for fact in facts:
        grey = read_grey(root / fact["file"])
        digest = hashlib.sha256(f"{grey.shape}".encode() + grey.tobytes()).hexdigest()
        rows.append(known_row(fact, digest))
        frames.setdefault(digest, frame_of(grey))
    save_hashes(asked.out, rows, list(frames), describe(frames.values()))
    print(f"wrote {asked.out}: {len(rows)} images, {len(frames)} pictures, "
          f"{asked.out.stat().st_size / 1000:.0f} kB")  # fmt: skip


def known_row(fact: dict[str, str], digest: str) -> Row:
    """What is told of one scan."""
    label, second = canonical(fact["label"]), fact["figshare_label"]
    notes = [f"cheng={fact['figshare_id']}"] if fact["figshare_id"] not in ("", "0") else []
    if second and canonical(second) != label:
        notes.append(f"second-label={canonical(second)}")
    return Row(
        path=fact["file"], label=label, digest="", pixel_digest=digest, width=0, height=0, mode="",
        group=f"twins {fact['near_dup_group']}", flags=";".join(notes),
    )  # fmt: skip


if __name__ == "__main__":
    main()
