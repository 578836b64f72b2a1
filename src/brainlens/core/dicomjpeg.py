"""Owns the JPEGs inside DICOM that Pillow does not decode: lossless ones, and those of 12 bits.

A plugin of pydicom: imported, it is at work. `imagecodecs` (libjpeg-turbo 3) decodes them; GDCM
would too, but not those of 12 bits, and a damaged file can take the whole process down with it.
"""

from __future__ import annotations

from typing import Any

from pydicom.pixels.decoders import base
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

_END = b"\xff\xd9"
DECODER_DEPENDENCIES = dict.fromkeys(
    (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), ("imagecodecs",)
)


def is_available(uid: str) -> bool:
    """Whether it decodes this transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode(frame: bytes, runner: Any) -> bytes:
    """The samples of one frame as stored; raises ValueError for one that is cut off."""
    import imagecodecs

    if _END not in frame[-4:]:  # padding may follow; the decoder would leave what lacks grey
        raise ValueError("the picture is cut off")
    space = None if runner.samples_per_pixel == 1 else "RGB"  # in and out: colours as stored
    samples: bytes = imagecodecs.jpeg_decode(frame, colorspace=space, outcolorspace=space).tobytes()
    return samples


for decoder in (
    base.JPEGExtended12BitDecoder,
    base.JPEGLosslessDecoder,
    base.JPEGLosslessSV1Decoder,
):
    decoder.add_plugin("imagecodecs", (__name__, "decode"))
