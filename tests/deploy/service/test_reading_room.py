"""What a reading room asks of the page: why, in which words, with whom, and behind which proxy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.deploy.service.browsing import give, until
from tests.deploy.service.conftest import SAMPLE, Server
from tests.deploy.service.proxy import below
from tests.deploy.service.test_api import HEAD, nifti

pytestmark = pytest.mark.slow


def text(page: Any, where: str) -> str:
    found: str = page.locator(where).inner_text()
    return found


def test_the_card_is_read_in_the_language_of_the_page(page: Any) -> None:
    page.click("nav >> text=Model")
    page.wait_for_selector(".prose")
    assert page.get_attribute(".prose", "lang") == "en"
    assert page.locator(".prose strong").inner_text() == "four"
    page.select_option("#language", "zh-Hant")
    assert page.get_attribute(".prose", "lang") == "zh-Hant"
    assert "取四個平均值。" in text(page, ".prose")
    assert "模型卡" in page.locator("summary", has_text="模型卡").inner_text()


def test_a_card_of_one_language_says_so_in_the_other(page: Any) -> None:
    about = "{ name: 'a', digest: 'b', labels: [], meaning: { card: 'Only English.' } }"
    page.evaluate(f"import('./static/model.js').then((one) => one.learn({about}))")
    page.select_option("#language", "zh-Hant")
    page.click("nav >> text=模型")
    page.wait_for_selector(".prose")
    assert page.get_attribute(".prose", "lang") == "en"
    assert page.locator("summary", has_text="英文").count() == 1


def test_a_study_says_how_it_is_pooled_and_why_slices_were_not_judged(page: Any) -> None:
    rng = np.random.default_rng(8)
    noise = rng.integers(60, 255, HEAD.shape)
    planes: list[Any] = [HEAD, noise, HEAD // 2, HEAD // 3, noise]
    give(page, ("v.nii.gz", nifti(np.stack(planes, 2).astype(np.int16))))
    said = text(page, ".studies")
    assert "The mean of slices #1, #3, #4." in said
    assert "2 of 5 slices not judged." in said
    assert "This does not look like a slice of a head (2)" in said
    page.select_option("#language", "zh-Hant")
    assert "5 張切片中有 2 張不予判讀。" in text(page, ".studies")


def test_a_long_study_fetches_the_pictures_that_are_in_view(page: Any) -> None:
    volume = np.stack([HEAD] * 200, 2).astype(np.int16)
    give(page, ("long.nii.gz", nifti(volume)))
    assert page.locator(".strip button").count() == 200
    until(page, "document.querySelector('.strip img[src^=blob]')")
    assert page.locator(".strip img[src^=blob]").count() < 100
    page.evaluate("document.querySelector('.strip').scrollLeft = 1e6")
    until(page, "document.querySelector('.strip li:last-child img[src^=blob]')")


def test_below_a_proxys_path_the_page_is_whole(browser: Any, running: Server) -> None:
    context = browser.new_context()
    one = context.new_page()
    with below("/tools/brainlens", running.port) as url:
        one.goto(url)
        one.wait_for_selector("html[data-ready]")
        give(one, ("a.jpg", SAMPLE.read_bytes()))
        until(one, "document.querySelector('.screen-none').hidden")
        with one.expect_download() as download:
            one.click("button:text-is('CSV')")
        assert download.value.suggested_filename.endswith(".csv")
        one.click("nav >> text=History")
        one.wait_for_selector("#history tbody a")
        assert one.url.startswith(url)
    context.close()


def test_two_readers_see_their_own_readings_and_each_others_words(
    browser: Any, running: Server
) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    first, second = (context.new_page() for context in contexts)
    for one, name in ((first, "Dr. Lin"), (second, "Dr. Wu")):
        one.goto(running.url)
        one.wait_for_selector("html[data-ready]")
        one.fill("#reader", name)
        one.locator("#reader").blur()
    give(first, ("lin.jpg", SAMPLE.read_bytes()))
    give(second, ("wu.jpg", SAMPLE.read_bytes()))
    assert "lin.jpg" in text(first, "#result h2")
    second.goto(f"{running.url}/{first.evaluate('location.hash')}")
    second.wait_for_selector("#result h2:has-text('lin.jpg')")  # its own answer stands until then
    assert "wu.jpg" not in text(second, "#result h2")
    for one, words in ((first, "mine"), (second, "a second look")):
        one.fill("#note", words)
        one.click("button:text-is('Save')")
        one.wait_for_selector("text=of the audit log")
    name = first.evaluate("location.hash.split('/')[1]")
    kept = first.evaluate(f"fetch('api/v1/readings/{name}').then((answer) => answer.json())")
    assert [(said["reader"], said["note"]) for said in kept["feedback"]] == [
        ("Dr. Lin", "mine"), ("Dr. Wu", "a second look"),
    ]  # fmt: skip
    for context in contexts:
        context.close()
