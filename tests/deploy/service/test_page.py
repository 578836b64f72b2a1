"""The page in a real Chromium: what a reader does with mouse, keys and phone, in two languages."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from brainlens.core.places import cache_folder
from brainlens.data.sample import SAMPLE_DIR
from brainlens.deploy.answering import box
from brainlens.deploy.service.refusals import KINDS
from tests.deploy.service.browsing import give, saturation, shown, slide, until
from tests.deploy.service.conftest import SAMPLE, TOKEN, Server
from tests.deploy.service.test_api import HEAD, dicom, nifti

pytestmark = pytest.mark.slow

AXE = "4.14.1"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
EVIL = "<img src=x onerror=document.title='run'>.jpg"
DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
}"""  # noqa: E501


def test_a_dropped_picture_shows_bars_and_a_heat_map_that_can_be_faded(page: Any) -> None:
    page.evaluate(DROP, [SAMPLE.name, base64.b64encode(SAMPLE.read_bytes()).decode()])
    page.wait_for_selector("#result .answer")
    assert page.locator(".bars .bar").count() == 4
    found = [float(text.split()[0]) for text in page.locator(".bars .n").all_inner_texts()]
    assert found == sorted(found, reverse=True)
    assert sum(found) == pytest.approx(100, abs=0.3)
    until(page, "document.querySelector('#tool-level').max > 0")
    colours = []
    for opacity in (0, 50, 100):
        slide(page, "heat", opacity)
        colours.append(saturation(shown(page)))
    assert colours[0] == 0
    assert colours[1] < colours[2]


def test_window_and_zoom_change_the_screen_as_they_say(page: Any) -> None:
    give(page, ("a.dcm", dicom(HEAD * 3, 1)))
    slide(page, "heat", 0)
    plain = shown(page)
    slide(page, "level", float(page.get_attribute("#tool-level", "min")))
    assert shown(page).mean() > plain.mean()  # nearly all lies above the window
    page.click("text=As it was")
    assert np.array_equal(shown(page), plain)
    slide(page, "zoom", 3)
    zoomed = shown(page)
    assert (zoomed > 8).mean() > (plain > 8).mean()
    box = page.locator(".screen canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 320, steps=4)
    page.mouse.up()
    assert not np.array_equal(shown(page), zoomed)


def test_a_series_and_a_volume_are_sorted_by_suspicion(page: Any) -> None:
    rng = np.random.default_rng(5)
    series = [
        (f"{n}.dcm", dicom((HEAD * rng.uniform(1, 9)).astype(np.uint16), n)) for n in range(3)
    ]
    volume = np.stack([HEAD * rng.uniform(0.4, 1) for _ in range(4)], 2).astype(np.int16)
    give(page, *series, ("v.nii.gz", nifti(volume)))
    assert page.locator(".strip button").count() == 7
    assert page.locator(".studies li").count() == 2
    widths = page.eval_on_selector_all(
        ".strip .meter > span", "all => all.map((one) => parseFloat(one.style.width))"
    )
    assert widths == sorted(widths, reverse=True)
    page.click("text=In order")
    assert page.locator(".strip b").first.inner_text() == "#1"
    page.locator(".strip button").nth(5).click()
    assert "v.nii.gz" in page.locator(".screen-name").inner_text()
    until(page, "document.querySelectorAll('.strip img[src^=blob]').length >= 5")
    with page.expect_download() as download:
        page.click("button:text-is('DICOM SR')")
    report = pydicom.dcmread(Path(download.value.path()))
    assert (report.Modality, report.PatientName) == ("SR", "Doe^Jane")


def test_a_photo_is_refused_with_the_reason(page: Any) -> None:
    rng = np.random.default_rng(6)
    colours = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(colours).resize((300, 300)).save(stream, "PNG")
    give(page, ("garden.png", stream.getvalue()))
    assert "does not look like a slice of a head" in page.locator(".refusal").inner_text()
    assert page.locator(".answer").count() == 0


def test_a_file_that_is_no_scan_says_what_to_do_next(page: Any) -> None:
    page.set_input_files("#files", [
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"what the ward round said"}
    ])  # fmt: skip
    page.wait_for_selector("#alert:not([hidden])")
    assert "Give JPEG, PNG" in page.locator("#alert").inner_text()
    assert page.is_visible("#drop")


def test_a_name_with_html_in_it_runs_nothing(page: Any) -> None:
    give(page, (EVIL, SAMPLE.read_bytes()))
    assert page.locator("#result h2").inner_text().startswith(EVIL[:30])
    page.goto(page.url.split("#")[0] + "#history")
    page.wait_for_selector("#history table")
    page.wait_for_timeout(200)
    assert page.title() != "run"


def test_readings_are_downloaded_found_again_and_commented(page: Any) -> None:
    page.fill("#reader", "Dr. Lin")
    page.locator("#reader").blur()
    give(page, ("unique-name.jpg", SAMPLE.read_bytes()))
    files = {}
    for button in ("JSON", "CSV", "Report to print"):
        with page.expect_download() as download:
            page.click(f"button:text-is('{button}')")
        files[button] = Path(download.value.path()).read_text("utf-8")
    reading = json.loads(files["JSON"])
    (row,) = csv.DictReader(io.StringIO(files["CSV"]))
    assert row["predicted"] == reading["slices"][0]["predicted"]
    assert "Dr. Lin" in files["Report to print"]
    page.check("text=Another label")
    page.select_option("select[name=label]", "pituitary")
    page.fill("#note", "looks like the sella")
    page.click("button:text-is('Save')")
    page.wait_for_selector("text=of the audit log")
    page.click("text=History")
    page.fill("#search", "unique-name")
    page.press("#search", "Enter")
    until(page, "document.querySelectorAll('#history tbody tr').length === 1")
    with page.expect_download() as download:
        page.click("text=Feedback as CSV")
    assert "looks like the sella" in Path(download.value.path()).read_text("utf-8")
    page.click("#history tbody a")
    page.wait_for_selector("#result .answer, #result .refusal")
    assert "unique-name.jpg" in page.locator("#result h2").inner_text()


def test_a_picture_is_enlarged_marked_and_measured(page: Any) -> None:
    page.click("nav >> text=Enhance")
    page.set_input_files("#enhance-file", str(SAMPLE_DIR / "none" / "none-001.jpg"))
    page.check("#enhance-check")
    page.click("#enhance-form button")
    page.wait_for_selector(".compare")
    assert "PSNR" in page.locator("#enhance-result").inner_text()
    assert page.locator(".compare .mark").inner_text() == "Not for diagnosis"
    page.locator("#enhance-result input[type=range]").focus()
    page.keyboard.press("End")
    assert "0%" in page.eval_on_selector(".over-half", "one => one.style.clipPath")


def test_a_picture_is_painted_by_the_generator_that_is_given(page: Any) -> None:
    page.click("nav >> text=Style")
    assert not page.is_visible("#style-missing")
    white = np.full((40, 60, 3), 255, np.uint8)
    white[:, :30] = (10, 200, 30)
    stream = io.BytesIO()
    Image.fromarray(white).save(stream, "PNG")
    page.set_input_files("#style-file", [
        {"name": "a.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    ])  # fmt: skip
    page.click("#style-form button")
    page.wait_for_selector("#style-result .compare")
    assert "Painted by negative." in page.locator("#style-result").inner_text()
    with page.expect_download() as download:
        page.click("#style-result button")
    painted = np.asarray(Image.open(Path(download.value.path())).convert("RGB"))
    assert np.array_equal(painted, 255 - white)


def test_without_a_generator_the_tab_says_how_to_give_one(page: Any) -> None:
    nothing = "{ methods: ['bicubic'], styles: false }"
    page.evaluate(f"import('/static/enhance.js').then((one) => one.learn({nothing}))")
    page.click("nav >> text=Style")
    assert "brainlens serve --stylist" in page.locator("#style-missing").inner_text()
    assert not page.is_visible("#style-form")
    page.click("nav >> text=Enhance")
    assert "brainlens serve --upscaler" in page.locator("#enhance-missing").inner_text()


def test_the_model_shows_its_results_its_reliability_and_its_certificate(page: Any) -> None:
    record = json.loads(box().with_suffix(".json").read_text("utf-8"))["judged"]
    page.click("nav >> text=Model")
    page.wait_for_selector("#model-card .chart")
    text = page.locator("#model-card").inner_text()
    assert f"None of the {record['images']} judged images was seen in training." in text
    assert f"{100 * record['metrics']['accuracy']['value']:.1f} %" in text
    assert page.locator(".chart").first.locator("circle").count() == len(record["reliability"])
    cells = page.locator("section.card:has(h3:text-is('Confusion')) tbody td")
    confusion = cells.all_inner_texts()
    assert [int(cell) for cell in confusion] == [n for row in record["confusion"] for n in row]
    page.select_option("#language", "zh-Hant")
    assert "洩漏證明" in page.locator("#model-card").inner_text()


def test_a_folder_is_dropped_whole_and_a_sample_is_a_study(page: Any, tmp_path: Path) -> None:
    (tmp_path / "case" / "inner").mkdir(parents=True)
    for number, place in enumerate(("case", "case", "case/inner")):
        (tmp_path / place / f"{number}.jpg").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "case" / ".hidden").write_text("x")
    wire = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(tmp_path / "case")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        sent = {"type": kind, "x": 300, "y": 300, "data": data}
        wire.send("Input.dispatchDragEvent", sent)
    page.wait_for_selector("#result .strip")
    names = page.eval_on_selector_all(".strip button", "all => all.map((one) => one.title)")
    assert sorted(names) == ["case/0.jpg", "case/1.jpg", "case/inner/2.jpg"]
    page.click("text=New reading")
    page.click("#samples button")
    until(page, "document.querySelectorAll('.strip button').length === 3")
    assert page.locator(".studies li").count() == 1


def test_everything_can_be_done_with_the_keyboard_alone(page: Any) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#samples') !== null"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("#result .answer, #result .refusal")
    until(page, "document.querySelector('#tool-level')?.max > 0")
    page.keyboard.press("+")
    assert page.locator("output[for=tool-zoom]").inner_text().startswith("1.2")
    page.keyboard.press("0")
    assert page.locator("output[for=tool-zoom]").inner_text().startswith("1.0")
    page.keyboard.press("h")
    assert page.locator("output[for=tool-heat]").inner_text() == "0 %"
    rng = np.random.default_rng(7)
    give(
        page,
        *[(f"{n}.dcm", dicom((HEAD * rng.uniform(1, 9)).astype(np.uint16), n)) for n in (1, 2)],
    )
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.screen-name').innerText.includes('2 of 2')")


def test_both_languages_have_every_word_and_can_be_switched(page: Any) -> None:
    keys = page.evaluate(
        "import('/static/words.js').then(({ WORDS }) => Object.values(WORDS).map(Object.keys))"
    )
    assert set(keys[0]) == set(keys[1])
    used = page.evaluate("[...document.querySelectorAll('[data-t]')].map((one) => one.dataset.t)")
    assert set(used) <= set(keys[0])
    page.select_option("#language", "zh-Hant")
    assert page.get_attribute("html", "lang") == "zh-Hant"
    assert page.locator("nav").inner_text().split() == ["分類", "放大", "風格", "模型", "紀錄"]
    assert {f"{part}.{code}" for code in KINDS for part in "en"} <= set(keys[0])
    give(page, ("a.jpg", SAMPLE.read_bytes()))
    assert "機率" in page.locator(".answer").inner_text()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.get_attribute("html", "lang") == "zh-Hant"


def test_a_phone_shows_it_all_without_scrolling_sideways(phone: Any) -> None:
    assert phone.get_attribute("html", "lang") == "zh-Hant"
    assert phone.get_attribute("html", "data-theme") == "dark"
    give(phone, ("a.jpg", SAMPLE.read_bytes()))
    for section in ("", "#enhance", "#style", "#model", "#history"):
        if section:
            phone.evaluate("hash => { location.hash = hash; }", section)
            phone.wait_for_timeout(400)
        wide = phone.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, section


def test_a_server_with_a_token_asks_for_it(browser: Any, guarded: Server) -> None:
    context = browser.new_context(ignore_https_errors=True)
    one = context.new_page()
    one.goto(guarded.url)
    one.wait_for_selector("#token-dialog[open]")
    one.fill("#token", TOKEN)
    one.click("#token-dialog button")
    one.wait_for_selector("html[data-ready]")
    give(one, ("a.jpg", SAMPLE.read_bytes()))
    context.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, fetched once into the cache."""
    kept = cache_folder() / f"axe-{AXE}.js"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs axe-core: no npm on PATH to fetch it with")
        done = subprocess.run(
            [npm, "pack", f"axe-core@{AXE}"], cwd=kept.parent, capture_output=True, timeout=60,
            env=os.environ | {"npm_config_update_notifier": "false"},
        )  # fmt: skip
        packed = kept.parent / f"axe-core-{AXE}.tgz"
        if done.returncode or not packed.is_file():
            pytest.skip("needs axe-core: npm cannot fetch it here")
        with tarfile.open(packed) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            kept.write_bytes(member.read())
        packed.unlink()
    return kept.read_text("utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(page: Any, axe: str, theme: str) -> None:
    page.select_option("#theme", theme)
    page.evaluate(axe)
    volume = np.stack([HEAD // 2, HEAD], 2).astype(np.int16)

    def judge(where: str) -> None:
        found = page.evaluate(
            "tags => axe.run(document, { runOnly: { type: 'tag', values: tags } })", TAGS
        )
        bad = {one["id"]: [node["html"][:160] for node in one["nodes"]]
               for one in found["violations"]}  # fmt: skip
        assert bad == {}, where

    judge("entry")
    give(page, ("v.nii.gz", nifti(volume)))
    page.wait_for_timeout(400)
    judge("reading")
    for section in ("enhance", "style", "model", "history"):
        page.evaluate("hash => { location.hash = hash; }", f"#{section}")
        page.wait_for_timeout(500)
        judge(section)
