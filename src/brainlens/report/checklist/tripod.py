"""Owns TRIPOD+AI: reporting of prediction models, whatever their kind.

Collins et al., BMJ 2024;385:e078378. Numbers are theirs, the wording is ours.
"""

from __future__ import annotations

from brainlens.report.checklist import answers, results
from brainlens.report.checklist.items import Item

TITLE = "TRIPOD+AI (Collins et al., BMJ 2024)"
_TOLD = "predict refuses what is no slice and says so; what users shall do then"

ITEMS = (
    Item("1", "Title", "A prediction model, for whom", (answers.technology,), "the title"),
    Item("2", "Abstract", "As TRIPOD+AI for abstracts asks", (), "the abstract"),
    Item("3a", "Introduction", "Healthcare context, existing models", (), "all of it"),
    Item("3b", "Introduction", "Target population, purpose, users", (), "all of it"),
    Item("3c", "Introduction", "Known health inequalities", (), "all of it"),
    Item("4", "Introduction", "Objectives", (), "development, evaluation or both"),
    Item("5a", "Methods: data", "Sources", (answers.sources,), "why, and whom they stand for"),
    Item("5b", "Methods: data", "Dates", (), "of the scans"),
    Item("6a", "Methods: participants", "Setting", (), "centres, countries"),
    Item(
        "6b", "Methods: participants", "Eligibility", (answers.eligibility,),
        "criteria for patients",
    ),
    Item("6c", "Methods: participants", "Treatments", (), "before the scans"),
    Item("7", "Methods: data preparation", "Preprocessing, quality", (answers.preprocessing,)),
    Item("8a", "Methods: outcome", "Definition", (), "what each class means, from which evidence"),
    Item("8b", "Methods: outcome", "Assessors", (), "who, with which experience"),
    Item("8c", "Methods: outcome", "Blinding", (), "of the assessors"),
    Item("9a", "Methods: predictors", "Choice", (), "single slices; which, of which sequences"),
    Item("9b", "Methods: predictors", "Definition", (answers.preprocessing,), "the acquisition"),
    Item("9c", "Methods: predictors", "Assessors", (), "who chose the slices"),
    Item("10", "Methods: sample size", "How arrived at", (answers.sample,), "why it is enough"),
    Item("11", "Methods: missing data", "Handling", (), "files that cannot be read are left out"),
    Item(
        "12a", "Methods: analysis", "Use of the data, partitions",
        (answers.partition, answers.disjoint),
    ),
    Item("12b", "Methods: analysis", "Handling of predictors", (answers.preprocessing,)),
    Item(
        "12c", "Methods: analysis", "Model, building, tuning, internal validation",
        (answers.model, answers.initial, answers.training, answers.selection), "why this model",
    ),
    Item("12d", "Methods: analysis", "Differences between clusters", (results.parts,), "centres"),
    Item("12e", "Methods: analysis", "Figures and plots", (results.metrics, results.uncertainty)),
    Item("12f", "Methods: analysis", "Updating after evaluation", (), "whether there was any"),
    Item("12g", "Methods: analysis", "How predictions were computed", (answers.output,)),
    Item("13", "Methods: class imbalance", "What was done", (answers.imbalance,)),
    Item("14", "Methods: fairness", "What was done", (), "by sex, age, origin, scanner"),
    Item("15", "Methods: output", "What the model gives, thresholds", (answers.output,)),
    Item(
        "16", "Methods: training and evaluation", "How their data differ",
        (answers.disjoint, results.external), "setting, criteria, outcome, predictors",
    ),
    Item("17", "Methods: ethics", "Approval and consent", (), "board, number, or waiver"),
    Item("18a", "Open science", "Funding", (), "sources, and the funders' part"),
    Item("18b", "Open science", "Conflicts of interest", (), "of each author"),
    Item("18c", "Open science", "Protocol", (results.commands,), "where it can be had, or none"),
    Item("18d", "Open science", "Registration", (), "number, or none"),
    Item("18e", "Open science", "Data sharing", (), "where; an audit can export a hash manifest"),
    Item("18f", "Open science", "Code sharing", (answers.software,), "where"),
    Item("19", "Patients and public", "Involvement", (), "or none"),
    Item(
        "20a", "Results: participants", "Flow", (answers.partition, answers.eligibility),
        "patients",
    ),
    Item("20b", "Results: participants", "Characteristics", (results.classes,), "age, sex, ..."),
    Item("20c", "Results: participants", "Training beside evaluation", (), "key characteristics"),
    Item("21", "Results: development", "Numbers", (results.classes, answers.sample)),
    Item(
        "22", "Results: specification", "The full model", (answers.model, results.commands),
        "where the weights can be had",
    ),
    Item("23a", "Results: performance", "With intervals", (results.performance, results.by_class)),
    Item("23b", "Results: performance", "Between clusters", (results.parts,), "centres"),
    Item("24", "Results: updating", "Of the model", (), "or none"),
    Item("25", "Discussion", "Interpretation", (), "with fairness"),
    Item("26", "Discussion", "Limitations", (results.limits,), "all others"),
    Item("27a", "Discussion: usability", "Poor or missing input", (results.robustness,), _TOLD,
         "brainlens evaluate --degrade"),
    Item("27b", "Discussion: usability", "What users must do and know", (), "all of it"),
    Item("27c", "Discussion: usability", "Next steps", (), "all of it"),
)  # fmt: skip
