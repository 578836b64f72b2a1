"""Owns the size that a JPEG, JPEG-LS or JPEG 2000 codestream states of itself.

A decoder takes as much memory as the codestream asks for, whatever the file around it says. Enters:
encoded bytes. Leaves: (width, height) in pixels, or None where no size is stated. Markers as in
ITU-T T.81 B.1, T.87 C.1 and T.800 A.5.
"""

from __future__ import annotations

import struct

_SIZ = b"\xff\x4f\xff\x51"  # JPEG 2000: start of codestream, then its size
_START = b"\xff\xd8"  # JPEG and JPEG-LS
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # tables and extensions among the markers that start a frame
_LOSSLESS = 0xF7  # the frame of JPEG-LS
_SCAN = 0xDA  # what follows is no marker but data
_HEADER = 1 << 16  # bytes in which a size must have been stated


def stated_size(codestream: bytes) -> tuple[int, int] | None:
    """Width and height of the first picture in a codestream, before anything is decoded."""
    head = codestream[:_HEADER]
    at = head.find(_SIZ)
    if at >= 0 and len(head) >= at + 24:
        right, low, left, top = struct.unpack_from(">IIII", head, at + 8)
        return max(0, right - left), max(0, low - top)
    if head.startswith(_START):
        return _frame(head)
    return None


def _frame(head: bytes) -> tuple[int, int] | None:
    """The size in a JPEG's frame header, found from marker to marker."""
    at = len(_START)
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _LOSSLESS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        if marker == _SCAN:
            return None
        at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None
