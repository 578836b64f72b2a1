"""Owns CLAIM: the Checklist for Artificial Intelligence in Medical Imaging, 2024 update.

Tejani et al., Radiology: Artificial Intelligence 2024. Numbers are theirs, the wording is ours.
"""

from __future__ import annotations

from brainlens.report.checklist import answers, results
from brainlens.report.checklist.items import Item

TITLE = "CLAIM, 2024 update (Tejani et al.)"
_HEATMAPS = "heat maps: brainlens predict --heatmap; say whether they were tested against outlines"

ITEMS = (
    Item("1", "Title", "A study of AI, and of which kind", (answers.technology,), "the title"),
    Item("2", "Abstract", "A structured summary", (), "the abstract"),
    Item("3", "Introduction", "Background, intended use and clinical role", (), "all of it"),
    Item("4", "Introduction", "Aims and hypotheses", (), "all of it"),
    Item("5", "Study design", "Prospective or retrospective", (), "which"),
    Item("6", "Study design", "The goal of the study", (), "which"),
    Item("7", "Data", "Sources", (answers.sources,), "institutions, dates, how to get the data"),
    Item("8", "Data", "Inclusion and exclusion", (answers.eligibility,), "criteria for patients"),
    Item("9", "Data", "Preprocessing", (answers.preprocessing,)),
    Item("10", "Data", "Subsets chosen", (), "which slices of a scan, and why"),
    Item("11", "Data", "De-identification", (), "how, and by whom"),
    Item("12", "Data", "Missing data", (), "how; unreadable files are left out and named"),
    Item("13", "Data", "Acquisition protocol", (), "scanners, sequences, contrast"),
    Item("14", "Reference standard", "How it was obtained", (), "histology, reading, follow-up"),
    Item("15", "Reference standard", "Why this one", (), "the reason"),
    Item("16", "Reference standard", "Who annotated", (), "number and experience of readers"),
    Item("17", "Reference standard", "Annotation of the test set", (), "how, blinded to what"),
    Item("18", "Reference standard", "Variability of readers", (), "agreement within and between"),
    Item("19", "Partitions", "How data were assigned", (answers.partition, results.classes)),
    Item("20", "Partitions", "The level at which they are disjoint", (answers.disjoint,)),
    Item("21", "Testing data", "Intended sample size", (answers.sample,), "how it was chosen"),
    Item("22", "Model", "Description", (answers.model, answers.output)),
    Item("23", "Model", "Software", (answers.software,)),
    Item("24", "Model", "Initial parameters", (answers.initial,)),
    Item("25", "Training", "Approach", (answers.training,)),
    Item("26", "Training", "How the final model was chosen", (answers.selection,)),
    Item("27", "Training", "Ensembles", (answers.ensemble,)),
    Item("28", "Evaluation", "Figures of performance", (results.metrics,)),
    Item("29", "Evaluation", "Uncertainty and significance", (results.uncertainty,)),
    Item("30", "Evaluation", "Robustness", (results.robustness,), how="evaluate --degrade"),
    Item("31", "Evaluation", "Explainability", (), _HEATMAPS),
    Item("32", "Evaluation", "Internal data", (results.internal,)),
    Item(
        "33", "Evaluation", "External data", (results.external,), "whether it is another hospital",
        "evaluate on another hospital's index",
    ),
    Item("34", "Evaluation", "Registration of a trial", (), "number, or none"),
    Item(
        "35", "Results: data", "Numbers included and excluded",
        (answers.eligibility, answers.partition), "patients and examinations",
    ),
    Item(
        "36", "Results: data", "Characteristics of each partition", (results.classes,),
        "age, sex, scanners, stage",
    ),
    Item("37", "Results: performance", "Figures with uncertainty", (results.performance,)),
    Item("38", "Results: performance", "Diagnostic performance", (results.by_class,)),
    Item(
        "39", "Results: performance", "Failures", (results.failures,),
        "what they have in common",
    ),
    Item("40", "Discussion", "Limitations", (results.limits,), "all others"),
    Item("41", "Discussion", "Implications for practice", (), "all of it"),
    Item("42", "Other", "Full protocol or technical details", (results.commands,), "a reference"),
    Item("43", "Other", "Software, model, data: where", (answers.software,), "addresses, licences"),
    Item("44", "Other", "Funding", (), "sources, and the funders' part"),
)  # fmt: skip
