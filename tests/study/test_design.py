"""A design file says what runs, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainlens.core.errors import ConfigError
from brainlens.recipes import read_recipe
from brainlens.study.arrays import unbalanced_pairs
from brainlens.study.design import Design, parse_design, read_design

Make = Callable[..., Design]


def test_every_row_is_settings_of_train(make_design: Make) -> None:
    design = make_design()
    assert design.array == "L4(2^3)"
    assert design.levels(3) == {"dropout": 0.4, "optimizer": "sgd", "learning_rate": 0.02}
    config = design.run(design.levels(3), "augmented", seed=7)
    assert (config.dropout, config.optimizer, config.learning_rate) == (0.4, "sgd", 0.02)
    assert (config.augment, config.views, config.seed, config.epochs) == ("light", 1, 7, 3)
    assert config.monitor == "val_accuracy"


def test_a_design_without_arms_has_one(make_design: Make) -> None:
    assert make_design(arms={}).arms == {"all": {}}


def test_factorial_and_random_designs_are_of_the_same_form(make_design: Make) -> None:
    assert len(make_design(design={"array": "factorial"}).matrix) == 8
    drawn = make_design(design={"array": "random", "runs": 5})
    assert drawn.array == "random"
    assert len({tuple(row) for row in drawn.matrix.tolist()}) == 5


def test_lower_loss_is_better_unless_told_otherwise(make_design: Make) -> None:
    assert make_design(design__response="val_loss").goal == "smaller"
    assert make_design().goal == "larger"
    assert make_design(design__goal="nominal").goal == "nominal"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"factors": {"dropuot": [0.1, 0.2]}}, "unknown factor 'dropuot': did you mean 'dropout'?"),
        ({"factors": {"dropout": [0.1, "high"]}}, "factor dropout='high': expected float"),
        ({"factors": {"optimizer": ["adam", "adem"]}}, "did you mean 'adam'?"),
        ({"factors": {"epochs": [5, 7.5]}}, "factor epochs=7.5: expected int, got float"),
        ({"factors": {"dropout": 0.3}}, "expected a list of two levels or more"),
        ({"factors": {"dropout": [0.3]}}, "expected a list of two levels or more"),
        ({"factors": {"dropout": [0.3, 0.3]}}, "listed twice"),
        ({"factors": {"seed": [1, 2]}}, "the study sets it itself"),
        ({"factors": {}}, "has no factors"),
        ({"factors": {"dropout": [0.1, 0.2, 0.3]}}, "3 levels"),
        ({"arms": {"a": {"augmnt": "light"}}}, "unknown setting 'augmnt'"),
        ({"arms": {"a": {"dropout": 0.1}}}, "'dropout' is a factor already"),
        ({"arms": {"a": 3}}, "expected settings"),
        ({"settings__seed": 3}, "'seed' is set by the study itself"),
        ({"settings__epochs": "many"}, "expected int"),
        ({"design__aray": "L9"}, "did you mean 'array'?"),
        ({"design__replicates": 0}, "expected 1 or more"),
        ({"design__pool": ["momentum"]}, "pool: no factor 'momentum'"),
        ({"design__response": "accuracy"}, "val_accuracy"),
        ({"facters": {}}, "did you mean 'factors'?"),
        ({"factors": 3}, "expected a table [factors]"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_design_is_named(
    make_design: Make, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_design(**changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_seed_s_study_is_a_truly_orthogonal_l9_in_two_arms() -> None:
    design = read_design("a-taguchi-l9")
    assert design.array == "L9(3^4)"
    assert unbalanced_pairs(design.matrix) == []
    assert list(design.factors) == ["dropout", "optimizer", "activation", "learning_rate"]
    assert list(design.arms) == ["plain", "augmented"]
    assert design.config.replicates == 5
    assert max(design.published["accuracy"]["with DCGAN"]) == 0.9864
    assert read_design("a-taguchi-l9", replicates=2).config.replicates == 2
    full = read_design("a-taguchi-factorial")
    assert len(full.matrix) == 81
    assert (full.factors, full.settings) == (design.factors, design.settings)


def test_a_design_is_read_from_a_file_and_is_no_training_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[factors]\ndropout = [0.1, 0.2]\noptimizer = ["adam", "sgd"]\n')
    assert read_design(str(file)).array == "L4(2^3)"
    with pytest.raises(ConfigError, match="no such file"):
        read_design(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="did you mean 'a-taguchi-l9'"):
        read_design("a-taguchi-l8")
    with pytest.raises(ConfigError, match="brainlens study a-taguchi-l9 INDEX"):
        read_recipe("a-taguchi-l9")


def test_a_recipe_for_training_is_no_design() -> None:
    with pytest.raises(ConfigError, match="unknown table"):
        parse_design(read_recipe("demo"), "demo")
