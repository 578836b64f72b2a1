"""Owns quantisation after training: an ONNX graph of floats in, one of 8-bit integers out.

Static, with a scale for each channel of the weights (Nagel et al. 2021, arXiv 2106.08295): the
ranges of what flows through the network are read off training pictures. Sums stay in 32 bits, and
so does everything that is no convolution or matrix product.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.data.preprocess import Array, Preprocessing

RANGED = 128  # training pictures that the ranges are read off
_KINDS = ["Conv", "MatMul", "Gemm"]


def quantised(graph: Any, pictures: Array, preprocessing: Preprocessing) -> Any:
    """The graph in 8 bits; `pictures` (N, S, S) uint8 show what it will be given."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    logging.getLogger().setLevel(logging.ERROR)  # it advises steps that change nothing here
    with tempfile.TemporaryDirectory() as place:
        given, made = Path(place) / "float.onnx", Path(place) / "int8.onnx"
        onnx.save(graph, str(given))
        quantize_static(
            given, made, _reader(pictures, preprocessing), quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_KINDS, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
        return onnx.load(str(made))


def _reader(pictures: Array, preprocessing: Preprocessing) -> Any:
    """Some of the pictures, evenly taken, one at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    some = np.unique(np.linspace(0, len(pictures) - 1, min(RANGED, len(pictures))).astype(int))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(some)

        def get_next(self) -> dict[str, Array] | None:
            place = next(self.left, None)
            if place is None:
                return None
            return {"pictures": preprocessing.tensor(np.asarray(pictures[place : place + 1]))}

    return Reader()
