"""Owns the exported style: an ONNX file of any picture size, and ONNX Runtime to apply it.

Enters: a generator that `style train` wrote. Leaves: `*.onnx` with its direction and its training
in the metadata; or a Stylist over such a file, which needs no torch: for `style apply` and the web
app. One light Van Gogh comes with the package.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from brainlens import __version__
from brainlens.core.errors import ConfigError, ImageError, WeightsError
from brainlens.core.files import replacing
from brainlens.core.processors import threads_for
from brainlens.deploy.graphs import bare
from brainlens.generative.tiles import enlarge_in_tiles

Array = np.ndarray[Any, Any]
Direction = Literal["to_painting", "to_photo"]
DIRECTIONS: dict[str, Direction] = {"painting": "to_painting", "photo": "to_photo"}
SHIPPED = "vangogh-light.onnx"
DETAIL = 256  # pixels of the shorter side while a picture is painted; it is enlarged afterwards
TILE = 1024  # pixels a side: larger pictures are painted in tiles
OVERLAP = 64  # pixels that two tiles share
LEAST_TILE = 4 * OVERLAP  # in smaller ones three tiles would meet
MARGIN = 32  # mirrored pixels around a picture: a network draws badly beside an edge
_KEY = "brainlens"


def export(source: Path, out: Path, *, direction: Direction = "to_painting") -> Path:
    """Write a trained generator as ONNX with free height and width; raises WeightsError."""
    import onnx
    import torch

    from brainlens.generative.stylegenerators import load_direction, weights_of

    file = weights_of(source, direction)
    network, meaning = load_direction(file, direction)
    step = meaning["multiple"]
    example = torch.zeros(1, 3, 4 * step, 5 * step)
    height, width = (step * torch.export.Dim(name, min=2) for name in ("rows", "columns"))
    with replacing(out) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        program = torch.onnx.export(
            network, (example,), dynamo=True, verbose=False,
            dynamic_shapes=({2: height, 3: width},),
            input_names=["picture"], output_names=["drawn"], external_data=False,
        )  # fmt: skip
        assert program is not None
        model = bare(program.model_proto)
        about = meaning | {
            "weights": file.name,
            "weights_digest": hashlib.sha256(file.read_bytes()).hexdigest(),
            "brainlens": __version__,
        }
        onnx.helper.set_model_props(model, {_KEY: json.dumps(about)})
        onnx.save(model, str(temporary))
    return out


def shipped() -> Path:
    """The generator that comes with the package."""
    return Path(str(files("brainlens.deploy") / SHIPPED))


class Stylist:
    """A generator that is ready to paint; final."""

    def __init__(
        self, path: Path | None = None, *, direction: Direction = "to_painting", threads: int = 0
    ) -> None:
        self.file = found(path, direction)
        self.session = _session(self.file, threads)
        self.meaning = _meaning(self.session, self.file)
        if self.meaning["direction"] != direction:
            raise WeightsError(
                f"{self.file}: goes the other way ({self.meaning['direction']}); expected "
                f"{direction}. Give the other file, or --direction "
                f"{self.meaning['direction'].removeprefix('to_')}"
            )
        self.multiple = int(self.meaning["multiple"])
        self.digest = hashlib.sha256(self.file.read_bytes()).hexdigest()

    def apply(
        self, rgb: Array, strength: float = 1.0, *, detail: int | None = DETAIL, tile: int = TILE
    ) -> Array:
        """(H, W, 3) uint8 to the same; `strength` 0 to 1 blends from the picture to the painting.

        `detail` is the shorter side in pixels at which larger pictures are painted, which sets how
        broad the strokes are; None paints every pixel. Raises ImageError for any other array.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
            got = f"an array of {rgb.dtype}, {' x '.join(map(str, rgb.shape))}"
            raise ImageError("picture", got, "uint8, height x width x 3")
        if not 0 <= strength <= 1:
            raise ConfigError(f"strength={strength}: expected 0 (the photo) to 1 (the painting)")
        if strength == 0:
            return rgb.copy()
        height, width = rgb.shape[:2]
        small = rgb if detail is None else shrunk(rgb, detail)
        painted = self._painted(small, tile)
        if small.shape != rgb.shape:
            painted = np.asarray(
                Image.fromarray(painted).resize((width, height), Image.Resampling.BICUBIC)
            )
        if strength == 1:
            return painted
        mixed: Array = rgb + strength * (painted.astype(np.float32) - rgb)
        return np.rint(mixed).astype(np.uint8)

    def _painted(self, rgb: Array, tile: int) -> Array:
        """Every pixel painted, in tiles where the picture is larger than one."""
        pieces = enlarge_in_tiles(
            lambda top, bottom, left, right: rgb[top:bottom, left:right],
            self._run,
            lambda values: np.rint(np.clip((values + 1) * 127.5, 0, 255)).astype(np.uint8),
            height=rgb.shape[0], width=rgb.shape[1], scale=1, tile=max(tile, LEAST_TILE),
            overlap=OVERLAP,
        )  # fmt: skip
        return np.concatenate([rows for rows, _ in pieces if rows is not None])

    def _run(self, part: Array) -> Array:
        """(h, w, 3) uint8 to (h, w, 3) float32 of about -1 to 1, with a mirrored margin around."""
        height, width = part.shape[:2]
        around = [
            (MARGIN, -(-(n + 2 * MARGIN) // self.multiple) * self.multiple - n - MARGIN)
            for n in (height, width)
        ]
        padded = np.pad(part, (*around, (0, 0)), mode="symmetric")
        drawn = self.drawn(padded.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)
        if self.meaning["grey"]:
            drawn = np.repeat(drawn.mean(1, keepdims=True), 3, 1)
        inside = drawn[0].transpose(1, 2, 0)[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        return np.ascontiguousarray(inside)

    def drawn(self, x: Array) -> Array:
        """(1, 3, H, W) float32 of -1 to 1 through the network; sides multiples of `multiple`."""
        (answer,) = self.session.run(None, {"picture": np.ascontiguousarray(x)})
        done: Array = answer
        return done


def shrunk(rgb: Array, detail: int) -> Array:
    """The picture with its shorter side at `detail` pixels, if it was longer; aspect kept."""
    height, width = rgb.shape[:2]
    scale = detail / min(height, width)
    if scale >= 1:
        return rgb
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


def found(path: Path | None, direction: Direction) -> Path:
    """The ONNX file of a path: itself, or that of a run folder; without one, ours."""
    if path is None:
        path = shipped()
        if not path.is_file():
            raise WeightsError(
                f"no {SHIPPED} came with this copy of brainlens. Train one (brainlens style train "
                "PHOTOS PAINTINGS -o RUN) and give it with --weights RUN"
            )
    if path.is_dir():
        path = path / f"{direction}.onnx"
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file. Make one: brainlens style export RUN -o {path.name}"
        )
    return path


def _session(file: Path, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads_for(threads)
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common root
        line = " ".join(str(error).split())[:120]
        raise WeightsError(
            f"{file}: cannot be read as an exported style ({line}). Make one: brainlens style "
            f"export RUN -o {file.with_suffix('.onnx').name}"
        ) from None


def _meaning(session: Any, file: Path) -> dict[str, Any]:
    """What the export wrote about itself."""
    try:
        meaning: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[_KEY])
        if meaning["kind"] != "style":
            raise KeyError("kind")
        return meaning
    except (KeyError, ValueError):
        raise WeightsError(
            f"{file}: is no exported style. Make one: brainlens style export RUN -o {file.name}"
        ) from None
