"""The report: what it says, what it shouts, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from brainlens.report.page import write_report

Make = Callable[..., Path]

LEAKED: dict[str, Any] = {
    "allowed": True,
    "copies": 12,
    "twins": 5,
    "same_group": 2,
    "clean": {"images": 21, "accuracy": {"value": 0.381, "low": 0.21, "high": 0.55}},
    "leaked": {"images": 19, "accuracy": {"value": 0.9947, "low": 0.97, "high": 1.0}},
}


def page(*folders: Path) -> str:
    """The report's HTML."""
    return write_report(folders, folders[0].parent / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """What a reader sees: no tags, no styles, single spaces."""
    html = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


class Tags(HTMLParser):
    """Every tag with its attributes; the balance of open and closed ones."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_verdict_says_how_many_how_sure_and_over_what(make_evaluation: Make) -> None:
    text = words(page(make_evaluation()))
    assert (
        "92.5 % of 40 unseen test slices were classified correctly "
        "(95 % interval 83.1-97.7; bootstrap over 13 patients or twin groups)." in text
    )
    assert "Research use, not a medical device" in text
    assert "Always answering glioma would give 75.0 %." in text  # 30 of 40
    assert "The hardest class is none: 80.0 % of it was found." in text


def test_a_validation_figure_is_never_called_unseen(make_evaluation: Make) -> None:
    text = words(page(make_evaluation(split="val")))
    assert "92.5 % of 40 validation slices were" in text
    assert "not a test set" in text
    assert "unseen" not in text


def test_a_clean_evaluation_has_a_calm_badge_that_says_what_was_checked(
    make_evaluation: Make,
) -> None:
    html = page(make_evaluation())
    text = words(html)
    assert "No known leak. The leakage certificate below says what was checked" in text
    assert "compared 40 judged images with 300 learned" in text
    assert "twin correlation 0.98" in text
    assert "LEAK" not in words(html)
    assert 'class="leak' not in html


def test_a_leak_is_shouted_with_clean_and_leaked_accuracy(make_evaluation: Make) -> None:
    text = words(page(make_evaluation(leakage=LEAKED)))
    assert "LEAK: do not quote this figure" in text
    assert "12 of the evaluated images are copies" in text
    assert "5 are twins; 2 share a patient or twin group" in text
    assert "None was recorded: whether twins were looked for is unknown" in text
    assert "clean 21 38.1 % 21.0-55.0" in text
    assert "leaked 19 99.5 % 97.0-100.0" in text
    assert "40 test slices (19 of them leaked) were" in text
    assert "No known leak" not in text
    assert "unseen" not in text


@pytest.mark.parametrize("why", [{"allowed": True}, {"copies": 1}, {"twins": 1}, {"same_group": 1}])
def test_any_one_sign_of_a_leak_is_enough(make_evaluation: Make, why: dict[str, Any]) -> None:
    clean = {
        "allowed": False,
        "copies": 0,
        "twins": 0,
        "same_group": 0,
        "clean": None,
        "leaked": None,
    }
    html = page(make_evaluation(leakage=clean | why))
    assert "LEAK" in words(html)
    assert "unseen" not in words(html)


def test_a_leak_is_named_at_the_top_of_a_page_of_several(
    make_run: Make, make_evaluation: Make
) -> None:
    text = words(page(make_run(), make_evaluation("dirty", leakage=LEAKED)))
    assert text.index("LEAK in dirty") < text.index("Trained for")


def test_every_figure_given_is_the_figure_shown(make_evaluation: Make) -> None:
    text = words(page(make_evaluation()))
    assert "92.5 % 83.1-97.7 92.0 % 82.0-97.0 0.919 0.810-0.970 0.971 0.940-0.990 0.041" in text
    assert "glioma 30 96.7 % 91.7-100.0 90.0 % 80.0-95.0 93.5 % 83.5-95.5 0.913" in text
    assert "0.850-0.960 \N{EN DASH}" in text  # an undefined AUROC
    assert "95 % intervals: percentile bootstrap over groups, 2000 resamples, seed 5" in text


def test_a_metric_of_a_later_version_is_shown_too(make_evaluation: Make) -> None:
    metrics = {"accuracy": {"value": 0.5}, "cohen_kappa": {"value": 0.8764, "low": 0, "high": 1}}
    text = words(page(make_evaluation(metrics=metrics)))
    assert "accuracy cohen kappa 50.0 % 0.876 0.000-1.000" in text
    assert "slices were classified correctly." in text  # no interval, none claimed


def test_the_most_confidently_wrong_come_first_and_the_right_not_at_all(
    make_evaluation: Make,
) -> None:
    text = words(page(make_evaluation()))
    assert "2 of 40 wrong" in text
    assert "sure.png none glioma 98.1 % copy unsure.png glioma none 55.0 %" in text
    assert "right.png" not in text


def test_where_a_result_came_from_is_all_there(make_run: Make, make_evaluation: Make) -> None:
    text = words(page(make_run()))
    for said in (
        "brainlens train index.csv -o run --set epochs=3",
        "protocol grouped split seed 3 test share 0.1",
        "index digest sha256:0123abcd",
        "images train 2457, val 273, test 40",
        "seed 17",
        "python 3.11.7, torch 2.15.0",
        "cpu EPYC, cores 2, device cpu, precision 32-true",
        "took 23 min 52 s",
        "Configuration (3 settings) backbone lite0 epochs 3 flip yes",
        "kept epoch 2, the best by val_accuracy (87.5 %)",
    ):
        assert said in text
    assert "training index digest sha256:train99" in words(page(make_evaluation()))


def test_an_interrupted_run_says_so(make_run: Make) -> None:
    assert "Training was interrupted" in words(page(make_run(stopped="interrupted")))


def test_a_run_without_most_of_its_provenance_still_reads(make_run: Make) -> None:
    folder = make_run()
    (folder / "provenance.json").write_text('{"kind": "run", "machine": "a laptop"}')
    text = words(page(folder))
    assert "Trained for 3 epochs." in text
    assert "The split was not recorded." in text


def test_two_evaluations_are_compared_and_one_is_not(make_evaluation: Make) -> None:
    first, second = make_evaluation("first"), make_evaluation("second", leakage=LEAKED)
    html = page(first, second)
    text = words(html)
    assert "first none known test grouped 40 13 92.5 % 83.1-97.7" in text
    assert "second LEAK test grouped 40 13 92.5 % 83.1-97.7" in text
    assert "differ in test images or protocol" not in text
    assert 'id="comparison"' not in page(first)


def test_a_comparison_of_unlike_test_sets_warns(make_evaluation: Make) -> None:
    other = make_evaluation("b", protocol={"protocol": "random", "seed": 1})
    assert "differ in test images or protocol" in words(page(make_evaluation("a"), other))


def test_folders_of_one_name_are_told_apart(make_evaluation: Make) -> None:
    one, two = make_evaluation("a/eval"), make_evaluation("b/eval")
    text = words(page(one, two))
    assert "a/eval none known" in text
    assert "b/eval none known" in text


def test_nothing_in_a_name_runs(make_run: Make, make_evaluation: Make) -> None:
    evil = "<script>alert(1)</script>"
    image = '<img src=x onerror="alert(2)">'
    predictions = f"path,label,predicted,confidence,leak\n{evil}{image!r},a,b,0.9,{evil}\n"
    labels = [evil, "$a$ & b"]
    per_class = {label: {"support": 1, "f1": {"value": 0.5}} for label in labels}
    folder = make_evaluation(
        evil.replace("/", ""), predictions, labels=labels, per_class=per_class,
        provenance={"command": evil, "machine": {evil: image}}, protocol={evil: image},
    )  # fmt: skip
    html = page(folder, make_run(command=evil, stopped=evil))
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    tags = Tags(html)
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]


def test_the_page_stands_alone(make_run: Make, make_evaluation: Make) -> None:
    html = page(make_run(), make_evaluation())
    tags = Tags(html)
    assert not tags.open
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags.found}
    for _, attrs in tags.found:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attrs.get(name) or "#").startswith("#")
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "default-src 'none'" in html


def test_every_drawing_is_described_and_every_reference_resolves_once(
    make_run: Make, make_evaluation: Make
) -> None:
    html = page(make_run(), make_evaluation("a"), make_evaluation("b", images=41))
    tags = Tags(html)
    described = [a for _, a in tags.found if a.get("role") == "img"]
    assert all(a["aria-label"] for a in described)
    assert len(described) == html.count("<svg") == 2 + 5 + 5 + 1
    assert "true glioma: 29 as glioma, 1 as none; true none: 2 as glioma, 8 as none" in html
    targets = {(a.get("xlink:href") or a.get("href") or "")[1:] for _, a in tags.found} - {""}
    ids = [a["id"] for _, a in tags.found if "id" in a]
    assert targets <= set(ids)


def test_the_same_results_give_the_same_bytes(make_run: Make, make_evaluation: Make) -> None:
    folders = [make_run(), make_evaluation()]
    assert page(*folders) == page(*folders)


def test_bytes_do_not_hang_on_the_process_or_the_users_matplotlib(
    make_evaluation: Make, tmp_path: Path
) -> None:
    folder = make_evaluation()
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\n")
    code = (
        "import sys; from pathlib import Path; from brainlens.report.page import write_report; "
        f"write_report([Path({str(folder)!r})], Path('other.html')); "
        "assert not {'torch', 'lightning', 'timm', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "other.html").read_text(encoding="utf-8") == page(folder)


def test_nan_is_shown_as_undefined(make_evaluation: Make) -> None:
    folder = make_evaluation()
    document = json.loads((folder / "metrics.json").read_text())
    document["metrics"]["ece"] = {"value": float("nan"), "low": None, "high": None}
    (folder / "metrics.json").write_text(json.dumps(document))
    assert "nan" not in words(page(folder)).lower().split()


def test_a_run_says_what_its_choice_of_epoch_rests_on(make_run: Make) -> None:
    held = {"compared": "30 validation with 200 training images", "leaks": {"copy": 2, "group": 0}}
    text = words(page(make_run(certificate=held)))
    assert "Leakage certificate" in text
    assert "30 validation with 200 training images" in text
    assert "leaks copy 2, group 0" in text


def test_each_source_has_its_own_accuracy(make_evaluation: Make) -> None:
    part = {"images": 31, "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}
    text = words(page(make_evaluation(parts={"source": {"sartaj": part}, "fold": {}})))
    assert "source images accuracy sartaj 31 90.0 % 80.0-95.0" in text
    assert "patient fold images" not in text
