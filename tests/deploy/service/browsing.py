"""A page in Debian's Chromium: opened as new, watched, and looked at by its pixels."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.deploy.service.conftest import Server


@pytest.fixture(scope="module")  # Playwright runs a loop, beside which no other test may run one
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("needs Chromium on PATH (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as play:
        one = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="module")
def screen(browser: Any) -> Iterator[Any]:
    """A desk's screen, for one test after the other."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def page(screen: Any, running: Server) -> Iterator[Any]:
    """The page on it, as new; it may say nothing to the console and ask nobody else."""
    yield from opened(screen, running)


@pytest.fixture
def phone(browser: Any, running: Server) -> Iterator[Any]:
    """The page on a phone in Taiwan, in the dark."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True,
                                  locale="zh-TW", color_scheme="dark")  # fmt: skip
    yield from opened(context.new_page(), running)
    context.close()


def opened(one: Any, running: Server) -> Iterator[Any]:
    complaints: list[str] = []
    asked: set[str] = set()
    hear: dict[str, Any] = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda request: asked.add(request.url.split("/")[2]),
    }
    one.set_default_timeout(60_000)
    for event, act in hear.items():
        one.on(event, act)
    one.goto(running.url)
    one.wait_for_selector("html[data-ready]")
    yield one
    one.evaluate("localStorage.clear()")
    one.goto("about:blank")
    for event, act in hear.items():
        one.remove_listener(event, act)
    assert [line for line in complaints if "Failed to load resource" not in line] == []
    assert asked <= {f"127.0.0.1:{running.port}", ""}


def give(page: Any, *files: tuple[str, bytes]) -> None:
    """Choose files, and wait for the reading."""
    page.set_input_files("#files", [
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        for name, content in files
    ])  # fmt: skip
    page.wait_for_selector("#result .answer, #result .refusal")
    until(page, "document.querySelector('#tool-level')?.max > 0")


def until(page: Any, holds: str) -> None:
    """Wait for something on the page; its policy forbids Playwright's own way, which needs eval."""
    for _ in range(600):
        if page.evaluate(f"Boolean({holds})"):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"waited in vain for {holds}")


def shown(page: Any) -> np.ndarray[Any, Any]:
    """The pixels on the screen."""
    page.wait_for_timeout(150)
    data = page.evaluate("document.querySelector('.screen canvas').toDataURL().split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def slide(page: Any, name: str, value: float) -> None:
    page.eval_on_selector(
        f"#tool-{name}",
        "(one, v) => { one.value = v; one.dispatchEvent(new Event('input')); }", value,
    )  # fmt: skip


def saturation(pixels: np.ndarray[Any, Any]) -> float:
    """How far from grey a picture is."""
    return float((pixels.max(2) - pixels.min(2)).mean())
