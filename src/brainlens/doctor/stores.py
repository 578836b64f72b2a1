"""Owns what is within reach: pretrained weights, the models in the box, caches, free space.

Weights are looked for where training looks (DESIGN 4): `<timm name>.safetensors` in the weights
folder, then the hub's cache. A file cut short is known by its header; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import sys
import time
from base64 import urlsafe_b64encode
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from brainlens.core.errors import UserError
from brainlens.core.places import cache_folder, shared_folder, weights_folder
from brainlens.doctor.findings import Finding, size

# Weights: what asks for them; tests hold the first against the table of backbones.
WEIGHTS = {
    "tf_efficientnet_lite0.in1k": "efficientnet_lite0, the default",
    "densenet121.tv_in1k": "densenet121",
    "vgg16.tv_in1k": "vgg16, vgg16_block3, style and upscale train",
    "inception_v3.tf_in1k": "inception_v3",
    "tf_efficientnetv2_s.in21k_ft_in1k": "efficientnetv2_s",
    "tf_efficientnetv2_b0.in1k": "efficientnetv2_b0",
    "mobilenetv2_100.tv_in1k": "mobilenetv2",
    "rrdb_x4.realsr_df2k": "upscale",
}
# Where timm's download has another name, or none.
DOWNLOADS = {"mobilenetv2_100.tv_in1k": "mobilenetv2_100.ra_in1k", "rrdb_x4.realsr_df2k": ""}
BOX = ("models/default.onnx", "vangogh-light.onnx")
CACHES = ("features", "pictures", "looks", "twins")
PATIENCE = 0.5  # seconds for counting what one folder holds


def weights_findings() -> list[Finding]:
    """The folder of weights, and each file that something asks for."""
    try:
        folder = weights_folder()
    except UserError as error:
        return [Finding("weights", "folder", "wrong", str(error), "unset BRAINLENS_WEIGHTS")]
    source = "$BRAINLENS_WEIGHTS" if os.environ.get("BRAINLENS_WEIGHTS") else "the shared folder"
    found = [
        Finding("weights", "folder", "ok", f"{folder} (by {source})", values={"path": str(folder)})
        if folder
        else Finding("weights", "folder", "note", "none named: weights come from timm's download",
                     "export BRAINLENS_WEIGHTS=/a/folder/of/weights")
    ]  # fmt: skip
    return found + [_weights(name, of, folder) for name, of in WEIGHTS.items()]


def _weights(name: str, of: str, folder: Path | None) -> Finding:
    """Where one file of weights is."""
    file = folder / f"{name}.safetensors" if folder else None
    download = DOWNLOADS.get(name, name)
    if file is not None and file.is_file():
        if fault := damaged(file):
            return Finding("weights", name, "wrong", f"{file}: {fault}", "copy the file again")
        held = file.stat().st_size
        values = {"path": str(file), "bytes": held}
        return Finding("weights", name, "ok", f"{of}: {size(held)} in the folder", values=values)
    if download and (cached := _in_hub_cache(download)):
        values = {"path": str(cached)}
        return Finding("weights", name, "ok", f"{of}: in the hub's cache", values=values)
    place = f"{folder or '$BRAINLENS_WEIGHTS'}/{name}.safetensors"
    mend = f"copy the file to {place}"
    if download:
        code = f"import timm; timm.create_model('{download}', pretrained=True)"
        mend = f'online once: {sys.executable} -c "{code}"; else {mend}'
    return Finding("weights", name, "missing", f"{of}: not here", mend)


def damaged(file: Path) -> str:
    """What its header says is wrong with a safetensors file; "" for a whole one."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100_000_000:
                return "is no safetensors file"
            header = json.loads(stream.read(length))
        ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
        whole, got = 8 + length + max(ends, default=0), file.stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (struct.error, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "is no safetensors file"
    return "" if whole == got else f"holds {got:,} bytes, expected {whole:,}"


def hub_cache() -> Path:
    """Where the hub's client keeps downloads."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(cache) / "huggingface") / "hub"


def _in_hub_cache(name: str) -> Path | None:
    folder = hub_cache() / f"models--timm--{name}" / "snapshots"
    return next(folder.glob("*/model.safetensors"), None) if folder.is_dir() else None


def box_findings() -> list[Finding]:
    """The models that ship in the package, with their digests."""
    held = Path(str(files("brainlens"))) / "deploy"
    return [_boxed(held / name, name) for name in BOX]


def _boxed(file: Path, name: str) -> Finding:
    title = file.name
    try:
        content = file.read_bytes()
    except OSError:
        told = f"{sys.executable} -m pip install --force-reinstall --no-deps brainlens"
        return Finding("models in the box", title, "wrong", "is missing", told)
    digest = hashlib.sha256(content)
    got = f"{size(len(content))}, SHA-256 {digest.hexdigest()}"
    values = {"path": str(file), "bytes": len(content), "sha256": digest.hexdigest()}
    recorded = _recorded(name)
    if recorded and recorded != urlsafe_b64encode(digest.digest()).decode().rstrip("="):
        told = f"{sys.executable} -m pip install --force-reinstall --no-deps brainlens"
        got += "; it is not as it was installed"
        return Finding("models in the box", title, "wrong", got, told, values)
    return Finding("models in the box", title, "ok", got, values=values)


def _recorded(name: str) -> str:
    """The digest that the wheel's own record has of the file; "" for a source checkout."""
    try:
        own = metadata.files("brainlens") or []
    except metadata.PackageNotFoundError:
        return ""
    for one in own:
        if one.as_posix() == f"brainlens/deploy/{name}" and one.hash:
            return one.hash.value
    return ""


def place_findings() -> list[Finding]:
    """The shared folder, the caches and how large they are, the room that is left."""
    cache = cache_folder()
    try:
        found = [Finding("places", "shared folder", "ok", str(shared_folder() or "none"))]
    except UserError as error:
        found = [Finding("places", "shared folder", "wrong", str(error), "unset BRAINLENS_SHARED")]
    for name, folder in [(f"cache of {one}", cache / one) for one in CACHES] + [
        ("cache of the hub", hub_cache())
    ]:
        found.append(_cache(name, folder))
    return [*found, _room(cache)]


def _cache(name: str, folder: Path) -> Finding:
    """How much a cache holds; it may always be deleted."""
    if not folder.is_dir():
        return Finding("places", name, "ok", f"{folder}: nothing yet", values={"bytes": 0})
    held, count, whole = _measured(folder)
    most = "" if whole else "at least "
    values = {"path": str(folder), "bytes": held, "files": count, "counted": whole}
    got = f"{folder}: {most}{size(held)} in {count:,} files"
    return Finding("places", name, "ok", got, values=values)


def _measured(folder: Path) -> tuple[int, int, bool]:
    """Bytes and files below a folder, and whether all were counted in time."""
    end, held, count = time.monotonic() + PATIENCE, 0, 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                held += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
            count += 1
        if time.monotonic() > end:
            return held, count, False
    return held, count, True


def _room(cache: Path) -> Finding:
    """Whether the cache can be written, and how much still fits."""
    there = next(one for one in (cache, *cache.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        got = f"{cache}: cannot be written"
        return Finding("places", "room", "wrong", got, "export BRAINLENS_CACHE=/a/folder/of/yours")
    free = shutil.disk_usage(there).free
    if free < 2_000_000_000:
        got = f"{size(free)} left for {cache}"
        mend = f"free some space, or delete {cache}: it is made again"
        return Finding("places", "room", "note", got, mend, {"bytes": free})
    return Finding("places", "room", "ok", f"{size(free)} left", values={"bytes": free})
