"""Enlarging: OpenVINO and bf16 against an eager fp32 pass, tiles against none, memory by size.

The baseline is spandrel's plain network, fp32, NCHW, in the same process and in turn with ours, on
as many threads as torch takes by itself (OMP_NUM_THREADS).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks.turns import clock_of, in_turn
from brainlens.core.places import shared_folder
from brainlens.core.png import write_png
from brainlens.deploy.upscaler import export, open_exported
from brainlens.generative.enlarging import TILE, bands
from brainlens.generative.generators import open_generator, read_state
from brainlens.generative.pictures import Picture, read_picture
from brainlens.generative.rrdb import RRDBNet, initialise
from brainlens.generative.tiles import OVERLAP, tile_count


def measure_speed(quick: bool) -> list[dict[str, Any]]:
    """Every way to run the whole network."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = write(folder / "full.safetensors", blocks=1 if quick else 23)
        rows = engines(weights, folder, 16 if quick else 64, 1 if quick else 3)
    shared = shared_folder()
    return rows if quick or shared is None else rows + differences(shared / "data" / "sr" / "Set14")


def measure_tiles(quick: bool) -> list[dict[str, Any]]:
    """What tiling costs."""
    with tempfile.TemporaryDirectory() as name:
        weights = write(Path(name) / "small.safetensors", blocks=1 if quick else 6)
        return [tiling(weights, 100 if quick else 384, 64 if quick else TILE)]


def measure_memory(quick: bool) -> list[dict[str, Any]]:
    """Peak memory by size of the picture."""
    with tempfile.TemporaryDirectory() as name:
        weights = write(Path(name) / "thin.safetensors", blocks=1)
        whole = [1, 2, 4, 8, 17, 34]  # tiles a side, none of them cut: 256 to 8,176 px
        sizes = [80, 160] if quick else [n * (TILE - OVERLAP) + OVERLAP for n in whole]
        return memory(weights, Path(name), sizes)


def measure_whole(quick: bool) -> list[dict[str, Any]]:
    """`brainlens upscale` of a large picture from end to end, against one of a single tile.

    Six blocks, as the recipe `sr-mri` trains, in the number format that the command chooses.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = write(folder / "small.safetensors", blocks=1 if quick else 6)
        single, whole = ((64, 64), (160, 120)) if quick else ((TILE, TILE), (4000, 3000))
        base, large = (enlarged_file(weights, folder, size) for size in (single, whole))
    tiles = tile_count(whole[1], whole[0], TILE)
    what = f"brainlens upscale, {whole[0]} x {whole[1]} px, {tiles} tiles, against one tile"
    return [
        {"what": f"{what}, peak memory", "ours": large[0], "baseline": base[0], "unit": "MB",
         "ratio": large[0] / base[0], "wanted": "about the same"},
        {"what": f"{what}, processor time", "ours": large[1], "baseline": base[1], "unit": "s",
         "ratio": large[1] / base[1], "wanted": f"about {tiles} times a tile, start apart"},
    ]  # fmt: skip


def enlarged_file(weights: Path, folder: Path, size: tuple[int, int]) -> tuple[float, float]:
    """Peak MB and seconds of the processor of the command on a smooth RGB picture of this size."""
    width, height = size
    path = folder / f"{width}x{height}.png"
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
    Image.fromarray(np.repeat(ramp[..., None], 3, 2).astype(np.uint8)).save(path)
    command = [sys.executable, "-m", "brainlens.cli", "upscale", str(path), "-o",
               str(folder / "out"), "--weights", str(weights), "--device", "cpu"]  # fmt: skip
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "capture_output=True); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    peak, seconds = done.stdout.split()
    return float(peak), float(seconds)


def write(path: Path, blocks: int) -> Path:
    """Random weights: speed and memory do not depend on them."""
    torch.manual_seed(0)
    network = RRDBNet(blocks=blocks)
    initialise(network)
    save_file(network.state_dict(), path)
    return path


def engines(weights: Path, folder: Path, side: int, repeats: int) -> list[dict[str, Any]]:
    """Seconds a picture of every way to run one network, in turn."""
    from spandrel import ModelLoader

    plain = ModelLoader().load_from_state_dict(read_state(weights)).model.eval()
    ours = open_generator(weights=weights, device="cpu")
    auto = open_generator(weights=weights, device="cpu", precision="auto")
    file, threads = export(weights, folder / "full.onnx"), torch.get_num_threads()
    exported, queue = open_exported(file, threads=threads), streams(file, threads)
    chosen = open_exported(file, threads=threads, precision="auto")
    x = np.random.default_rng(0).uniform(0, 1, (side, side, 3)).astype(np.float32)
    tensor = torch.from_numpy(x.transpose(2, 0, 1).copy())[None]

    def eager() -> None:
        with torch.inference_mode():
            plain(tensor)

    def many() -> None:
        """As many pictures at once as OpenVINO has streams."""
        for _ in range(len(queue)):
            queue.start_async(tensor.numpy())
        queue.wait_all()

    ways: dict[str, Callable[[], object]] = {
        "eager": eager,
        "our pass, fp32 channels-last": lambda: ours.enlarge(x),
        "OpenVINO fp32, latency": lambda: exported.enlarge(x),
        "OpenVINO fp32, throughput": many,
    }
    if auto.precision == "bf16-mixed":
        ways["our pass, bf16 channels-last"] = lambda: auto.enlarge(x)
        ways["OpenVINO bf16, latency"] = lambda: chosen.enlarge(x)
    timed, clock = clock_of(threads)
    median = in_turn(ways, repeats, clock)
    base = median.pop("eager")
    median["OpenVINO fp32, throughput"] /= len(queue)
    return [
        {
            "what": f"{name} against eager fp32, {side} to {4 * side} px, {timed}",
            "ours": value,
            "baseline": base,
            "unit": "s",
            "ratio": base / value,
            "wanted": "ratio >= 2",
        }
        for name, value in median.items()
    ]


def differences(folder: Path) -> list[dict[str, Any]]:
    """Grey levels between bf16 and fp32, of the real weights, on 64 px of every picture."""
    exact = open_generator(device="cpu")
    halved = open_generator(device="cpu", precision="bf16-mixed")
    found = []
    for path in sorted(folder.glob("*.png")):
        picture = read_picture(path)
        x = picture.tile(32, 96, 32, 96)
        one, other = (picture.samples(g.enlarge(x)).astype(int) for g in (exact, halved))
        found.append(np.abs(one - other))
    counts = np.concatenate([one.ravel() for one in found])
    return [
        {"what": f"bf16 against fp32, 64 px of {len(found)} Set14 pictures, {name}",
         "ours": float(value), "baseline": 0.0, "unit": "grey levels", "ratio": None, "wanted": ""}
        for name, value in (("mean", counts.mean()), ("99 of 100 below",
                            np.percentile(counts, 99)), ("largest", counts.max()))
    ]  # fmt: skip


def streams(file: Path, threads: int) -> openvino.AsyncInferQueue:
    """OpenVINO set for throughput: several pictures at once."""
    options = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    return openvino.AsyncInferQueue(openvino.compile_model(str(file), "CPU", options))


def tiling(weights: Path, side: int, tile: int) -> dict[str, Any]:
    """A picture in tiles against the same at once."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    picture = Picture("noise", pixels, 0, 255)
    generator = open_generator(weights=weights, device="cpu")
    timed, clock = clock_of(torch.get_num_threads())

    def cut(size: int) -> Callable[[], object]:
        return lambda: list(bands(picture, generator, tile=size, quiet=True))

    seconds = in_turn({"tiles": cut(tile), "at once": cut(side)}, 2, clock)
    ours, whole = seconds["tiles"], seconds["at once"]
    return {
        "what": f"{side} px picture in tiles of {tile} against at once, {timed}",
        "ours": ours,
        "baseline": whole,
        "unit": "s",
        "ratio": ours / whole,
        "wanted": "ratio <= 1.15",
    }


def memory(weights: Path, folder: Path, sizes: list[int]) -> list[dict[str, Any]]:
    """Peak resident memory of a process that reads a picture and writes its first row of tiles.

    By then everything a picture of this size needs is held: later rows use it again. The network
    runs on the first two tiles, the others take repeated pixels, as many and sooner there.
    """
    peaks = {}
    for side in sizes:
        path = folder / f"{side}.png"
        Image.new("RGB", (side, side), (90, 120, 200)).save(path)
        command = [sys.executable, "-m", "benchmarks.upscale", str(weights), str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[side] = float(done.stdout)
    return [
        {
            "what": f"peak memory, {side} x {side} px RGB in tiles of {TILE}",
            "ours": peak,
            "baseline": peaks[sizes[0]],
            "unit": "MB",
            "ratio": peak / peaks[sizes[0]],
            "wanted": "about the same at every size",
        }
        for side, peak in peaks.items()
    ]


def first_row(weights: Path, path: Path) -> None:
    """What `memory` runs: prints the peak in MB."""
    real, quick = open_generator(weights=weights, device="cpu"), open_generator("nearest")
    turns = iter([real, real])

    def enlarge(part: Any) -> Any:
        return next(turns, quick).enlarge(part)

    picture = read_picture(path)
    rows = next(iter(bands(picture, replace(real, enlarge=enlarge), quiet=True)))
    height, width, channels = rows.shape
    write_png(path.with_suffix(".out.png"), [rows], width=width, height=height, channels=channels)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    first_row(Path(sys.argv[1]), Path(sys.argv[2]))
