"""Owns the words of the printed report, in English and Traditional Chinese.

The page has its own in `static/words.js`; a test holds that labels and reasons are said alike.
"""

# ruff: noqa: RUF001 (Chinese has commas of its own)

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh-Hant"]

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Reading", "use": "Research use, not a medical device.",
        "not_diagnosis": "Probabilities of a model, not a diagnosis.",
        "entry": "audit log entry", "when": "When", "reader": "Reader", "not_given": "not given",
        "model": "Model", "input": "Input", "studies": "Studies", "study": "Study",
        "pooled": "Pooled answer", "probability": "Probability", "judged": "Slices judged",
        "refused": "Refused", "nothing_judged": "no slice could be judged",
        "pooled_why": "A study's answer is the mean of its 3 most suspicious slices: to sort by, "
                      "not calibrated.",
        "ranked": "Slices, the most suspicious first", "slice": "Slice", "answer": "Answer",
        "set": "Set at", "remarks": "Remarks", "not_judged": "not judged",
        "unreadable": "Files that could not be read", "said": "What readers said",
        "verdict": "Verdict", "note": "Note", "whole": "whole reading", "pictures": "Pictures",
        "agree": "agrees", "other": "another label:", "only_note": "note",
    },
    "zh-Hant": {
        "title": "判讀", "use": "僅供研究，非醫療器材。",
        "not_diagnosis": "此為模型的機率，不是診斷。",
        "entry": "稽核紀錄編號", "when": "時間", "reader": "判讀者", "not_given": "未提供",
        "model": "模型", "input": "輸入", "studies": "檢查", "study": "檢查", "pooled": "彙整答案",
        "probability": "機率", "judged": "已判讀切片", "refused": "不予判讀",
        "nothing_judged": "沒有可判讀的切片",
        "pooled_why": "檢查的答案為其最可疑的 3 張切片的平均：供排序用，未經校準。",
        "ranked": "切片，最可疑者在前", "slice": "切片", "answer": "答案", "set": "預測集合",
        "remarks": "備註", "not_judged": "不予判讀", "unreadable": "無法讀取的檔案",
        "said": "判讀者的意見", "verdict": "意見", "note": "備註", "whole": "整份判讀",
        "pictures": "影像", "agree": "同意", "other": "其他標籤：", "only_note": "備註",
    },
}  # fmt: skip
LABELS = {
    "glioma": "神經膠質瘤", "meningioma": "腦膜瘤", "pituitary": "腦下垂體瘤", "none": "無腫瘤",
    "no": "無腫瘤", "yes": "腫瘤", "tumour": "腫瘤",
}  # fmt: skip
REASONS = {
    "slice of a head": "這看起來不像頭部切片。",
    "next to nothing": "影像幾乎是空白的。",
    "nearly black": "影像幾乎全黑。",
    "unlike every picture": "影像與模型學過的所有影像都不相似（為界限的 {n} 倍）。",
}


def label(name: str, language: Language) -> str:
    """A class; one of the model's own is said as it is."""
    return LABELS.get(name, name) if language == "zh-Hant" else name


def reasons(text: str, language: Language) -> str:
    """Why a slice was not judged."""
    if language == "en":
        return text
    return "".join(_reason(part) for part in text.split("; "))


def _reason(text: str) -> str:
    number = re.search(r"[\d.]+", text)
    for known, words in REASONS.items():
        if known in text:
            return words.format(n=number.group() if number else "")
    return text
