"""Whatever is sent, the server answers 4xx, stays up, and writes nothing outside its folder."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.core.picture_files import chunk
from tests.deploy.service.conftest import SAMPLE, png
from tests.deploy.service.test_api import HEAD, dicom, nifti, post

FORM = {"content-type": "multipart/form-data; boundary=x"}


def zipped(entries: dict[str, bytes], **how: Any) -> bytes:
    """A zip of these."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **({"compression": zipfile.ZIP_DEFLATED} | how)) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def huge_png() -> bytes:
    """A PNG that says 10,000 x 10,000 and unpacks to that, in some kilobytes."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(10_001)) for _ in range(10_000)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def wide_nifti() -> bytes:
    """A volume whose header asks for 32,767 voxels in three directions."""
    content = bytearray(gzip.decompress(nifti(np.zeros((4, 4, 4), np.int16))))
    struct.pack_into("<8h", content, 40, 3, 32767, 32767, 32767, 1, 1, 1, 1)
    return bytes(content)


def wide_dicom() -> bytes:
    """A slice whose header asks for 60,000 x 60,000 pixels."""
    content = dicom(HEAD, 1)
    tag = b"\x28\x00\x10\x00US\x02\x00"
    at = content.index(tag) + len(tag)
    return content[:at] + struct.pack("<H", 60_000) + content[at + 2 :].replace(
        b"\x28\x00\x11\x00US\x02\x00" + struct.pack("<H", HEAD.shape[1]),
        b"\x28\x00\x11\x00US\x02\x00" + struct.pack("<H", 60_000),
    )  # fmt: skip


def deflated(content: bytes) -> bytes:
    """A DICOM file whose data set is packed, with these bytes for a data set."""
    plain = dicom(HEAD, 1)
    at = plain.index(b"\x08\x00\x16\x00UI")  # the first element after the file's own header
    head = plain[:at].replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x16\x001.2.840.10008.1.2.1.99")
    packer = zlib.compressobj(wbits=-15)
    return head + packer.compress(content or plain[at:]) + packer.flush()


def encrypted() -> bytes:
    content = bytearray(zipped({"a.jpg": b"x"}))
    content[6] |= 1
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


CANVAS = b"\xfe\x3f\x00" * 2  # 16,383 x 16,383
WEBP = b"RIFF\x20\0\0\0WEBPVP8X\n\0\0\0\0\0\0\0" + CANVAS + bytes(8)
BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty.jpg": (lambda: b"", 422, "is empty"),
    "notes.txt": (lambda: b"what the ward round said", 415, "no known image format"),
    "page.html": (lambda: b"<script>alert(1)</script>", 415, "no known image format"),
    "half.jpg": (lambda: SAMPLE.read_bytes()[:900], 422, "broken image"),
    "huge.png": (huge_png, 413, "10,000 x 10,000"),
    "bomb.zip": (lambda: zipped({"a.png": bytes(30 << 20)}), 413, "unpacks to more"),
    "bomb.nii.gz": (lambda: gzip.compress(bytes(30 << 20)), 413, "unpacks to more"),
    "zip-of-zips.zip": (lambda: zipped({"inner.zip": zipped({"a.jpg": SAMPLE.read_bytes()})}), 422,
                        "archive within an archive"),
    "many.zip": (lambda: zipped({f"{n}.jpg": b"x" for n in range(21)}), 413, "at most 20"),
    "bzip.zip": (lambda: zipped({"a.jpg": b"x"}, compression=zipfile.ZIP_BZIP2), 422, "deflate"),
    "secret.zip": (encrypted, 422, "encrypted"),
    "cut.zip": (lambda: zipped({"a.jpg": SAMPLE.read_bytes()})[:-30], 422, "broken archive"),
    "nothing.zip": (lambda: zipped({}), 422, "no file"),
    "wide.nii": (wide_nifti, 413, "voxels"),
    "wide.dcm": (wide_dicom, 413, "60,000"),
    "words.dcm": (lambda: b"x" * 300, 422, "DICOM"),
    "deflated.dcm": (lambda: deflated(bytes(30 << 20)), 413, "unpacks to more"),
    "cut.nii.gz": (lambda: nifti(np.ones((32, 32, 9), np.int16))[:-40], 422, "ends too early"),
    "webp.webp": (lambda: WEBP, 413, "16,383 x 16,383"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_what_to_do_next(standing: TestClient, name: str) -> None:
    content, status, words = BAD[name]
    answer = standing.post("/api/v1/classify", files={"files": (name, content())})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert words in error["message"]
    assert error["next"]
    assert standing.get("/readyz").status_code == 200


def test_one_bad_file_among_good_ones_is_named_and_skipped(standing: TestClient) -> None:
    document = post(standing, ("ok.jpg", SAMPLE.read_bytes()), ("bad.jpg", b"\xff\xd8\xff"))
    assert len(document["slices"]) == 1
    assert document["unreadable"][0]["name"] == "bad.jpg"


def test_more_slices_pixels_or_files_than_the_limits_are_refused(standing: TestClient) -> None:
    rng = np.random.default_rng(4)
    for shape in ((8, 8, 41), (300, 300, 30)):
        content = nifti(np.resize(rng.integers(0, 900, 9, dtype=np.int16), shape))
        answer = standing.post("/api/v1/classify", files={"files": ("v.nii.gz", content)})
        assert answer.status_code == 413, answer.text
    files = [("files", (f"{n}.jpg", SAMPLE.read_bytes())) for n in range(21)]
    assert standing.post("/api/v1/classify", files=files).status_code == 413


PATHS = [
    "../../../../etc/cron.d/x.jpg", "/etc/passwd.jpg", "C:\\Windows\\x.jpg", "..\\..\\x.jpg",
    "a/\x00b.jpg", ".jpg", "x" * 5000 + ".jpg", "\u202egpj.exe", "con.jpg", "%2e%2e%2fx.jpg",
]  # fmt: skip


def test_no_name_of_a_file_is_ever_a_place(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = {path for path in tmp_path.rglob("*") if "server" not in path.parts}
    names = [*PATHS, f"x/{'../' * 9}tmp/evil.jpg"]
    document = post(client, ("slip.zip", zipped({name: SAMPLE.read_bytes() for name in names})))
    hidden = [".jpg", "a/\x00b.jpg"]  # a zip's name ends at its null: a folder
    assert len(document["slices"]) == len(names) - len(hidden)
    for name in names:
        shown = post(client, (name.replace("\0", "")[-900:], SAMPLE.read_bytes()))["slices"][0][
            "name"
        ]
        assert ".." not in shown.split("/")
        assert len(shown) <= 160
        assert shown.isprintable()
    after = {path for path in tmp_path.rglob("*") if "server" not in path.parts}
    assert after == before
    assert list((tmp_path / "server" / "work").iterdir()) == []


def test_html_in_names_and_headers_is_only_ever_text(client: TestClient) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own words about such values
        content = dicom(HEAD, 1, series=evil, modality=evil[:16])
    document = post(client, (f"{evil}.dcm", content), reader=evil)
    assert evil[:16] in document["studies"][0]["title"]
    page = client.get(f"/api/v1/readings/{document['id']}/report")
    assert "<img src=x" not in page.text
    assert "&lt;img src=x" in page.text
    answer = client.get(f"/api/v1/readings/{document['id']}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = client.get("/").headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def mutated(rng: np.random.Generator, content: bytes) -> bytes:
    """A file with some bytes changed, cut, doubled or put in."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(0, max(1, len(data))))
        kind = rng.integers(4)
        if kind == 0 and data:
            data[at % len(data)] = int(rng.integers(256))
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 200))]
        elif kind == 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 40)))
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 200))]
    return bytes(data)


def originals() -> dict[str, bytes]:
    """A small file of each kind."""
    rng = np.random.default_rng(2)
    small = HEAD[::4, ::4]
    volume = small[..., None].repeat(3, 2).astype(np.int16)
    found = {"a.dcm": dicom(small, 1), "a.nii.gz": nifti(volume), "a.jpg": SAMPLE.read_bytes()}
    found["a.nii"] = gzip.decompress(found["a.nii.gz"])
    for kind in ("PNG", "TIFF", "WEBP", "GIF", "BMP"):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(stream, kind)
        found[f"a.{kind.lower()}"] = stream.getvalue()
    found["a.zip"] = zipped({"1.jpg": SAMPLE.read_bytes(), "2.dcm": found["a.dcm"]})
    return found


def send_mutated(client: TestClient, numbers: range) -> None:
    files = list(originals().items())
    counts: dict[int, int] = {}
    for number in numbers:
        rng = np.random.default_rng((1, number))
        name, content = files[number % len(files)]
        sent = mutated(rng, content)
        answer = client.post("/api/v1/classify", files={"files": (name, sent)})
        counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
        assert answer.status_code in (201, 413, 415, 422), (number, name, answer.text)
        json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert len(counts) > 1
    assert client.get("/readyz").status_code == 200


def test_a_hundred_mutated_files_are_answered(standing: TestClient) -> None:
    send_mutated(standing, range(100))


@pytest.mark.slow
def test_nine_hundred_more_are_answered(standing: TestClient) -> None:
    send_mutated(standing, range(100, 1000))


def test_a_deflated_dicom_file_is_read_as_the_plain_one(standing: TestClient) -> None:
    plain, packed = (post(standing, ("a.dcm", content))["slices"][0] for content in
                     (dicom(HEAD, 1), deflated(b"")))  # fmt: skip
    assert packed["probabilities"] == plain["probabilities"]


ONE = {"files": ("a.jpg", b"x")}
ODD_REQUESTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/api/v1/classify", {}, 415),
    ("POST", "/api/v1/classify", {"json": {"files": []}}, 415),
    ("POST", "/api/v1/classify", {"content": b"x", "headers": {"content-type": "image/png"}}, 415),
    ("POST", "/api/v1/classify", {"content": b"nonsense", "headers": FORM}, 400),
    ("POST", "/api/v1/classify", {"files": {"other": ("a.jpg", b"x")}}, 422),
    ("POST", "/api/v1/classify", {"files": ONE, "data": {"coverage": "2"}}, 422),
    ("PUT", "/api/v1/classify", {}, 405),
    ("GET", "/api/v1/nothing", {}, 404),
    ("GET", "/static/../app.py", {}, 404),
    ("GET", "/static/%2e%2e/%2e%2e/app.py", {}, 404),
    ("GET", "/api/v1/samples/..%2f__init__.py", {}, 404),
    ("GET", "/api/v1/readings/..%2f..%2fetc", {}, 404),
    ("GET", "/api/v1/readings/zz", {}, 422),
    ("GET", "/api/v1/readings?most=100000", {}, 422),
    ("GET", "/api/v1/readings?before=99999999999999999999", {}, 422),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "sent", "status"), ODD_REQUESTS)
def test_an_odd_request_is_refused_in_our_own_words(
    standing: TestClient, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    answer = standing.request(method, path, **sent)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "next"}


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}, {"host": "evil.example"}, {"origin": "http://localhost:99"}],
)  # fmt: skip
def test_posts_from_other_sites_are_refused(standing: TestClient, headers: dict[str, str]) -> None:
    def entries() -> int:
        count: int = standing.get("/api/v1/readings").json()["audit"]["entries"]
        return count

    files, before = {"files": ("a.jpg", SAMPLE.read_bytes())}, entries()
    assert standing.post("/api/v1/classify", files=files, headers=headers).status_code == 403
    assert entries() == before
    own = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert standing.post("/api/v1/classify", files=files, headers=own).status_code == 201
    assert entries() == before + 1


def test_colour_and_depth_do_not_matter(standing: TestClient) -> None:
    grey = post(standing, ("a.png", png(HEAD.astype(np.uint8))))["slices"][0]
    colour = post(standing, ("a.png", png(np.stack([HEAD.astype(np.uint8)] * 3, 2))))["slices"][0]
    assert grey["probabilities"] == pytest.approx(colour["probabilities"])
