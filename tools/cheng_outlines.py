"""Joins Cheng's tumour borders to the pictures of a manifest: `python -m tools.cheng_outlines OUT`.

The borders lie in `figshare_tumour_borders.json.gz` by figshare id, in pixels of 512; the manifest
knows the id of each picture. Leaves the outlines that `brainlens train` reads.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from pathlib import Path

from brainlens.core.files import write_atomic

SIDE = 512  # pixels of the pictures that the borders were drawn in


def main() -> None:
    """Write the outlines to the file named."""
    out = Path(sys.argv[1])
    data = Path(os.environ.get("BRAINLENS_SHARED", "../shared")) / "data" / "mri"
    borders = json.loads(gzip.decompress((data / "figshare_tumour_borders.json.gz").read_bytes()))
    with (data / "manifest.csv").open(newline="") as stream:
        known = {r["file"]: borders.get(r["figshare_id"]) for r in csv.DictReader(stream)}
    outlines = {
        os.path.relpath(data / file, out.parent): [[[x / SIDE, y / SIDE] for x, y in border]]
        for file, border in known.items()
        if border
    }
    write_atomic(out, json.dumps(outlines))
    print(f"wrote {out}: outlines of {len(outlines)} pictures")


if __name__ == "__main__":
    main()
