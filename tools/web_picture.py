"""Draws docs/pictures/web-app.jpg: `python -m tools.web_picture VOLUME OUT.jpg`.

Serves the model in the box, gives it the volume in Chromium, and keeps what the page then shows.
VOLUME must be one whose pictures may be shown: Brain-Tumor-Progression is CC BY.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.serve import serving
from brainlens.deploy.answering import box


def main() -> None:
    """Serve, ask, keep."""
    volume, out = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "page.png"
        with serving(box(), Path(folder)) as (url, _):
            draw(url, volume, drawn)
        Image.open(drawn).convert("RGB").save(out, quality=88, optimize=True)


def draw(url: str, volume: Path, out: Path) -> None:
    """The page once the volume is answered."""
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": 1440, "height": 900}, locale="en-GB", color_scheme="light"
        )
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        page.set_input_files("#files", volume)
        page.wait_for_selector("#result .answer, #result .refusal", timeout=120_000)
        page.wait_for_timeout(1500)  # the heat map fades in
        page.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    main()
