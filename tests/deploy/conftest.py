"""The small generator of the generative tests."""

from tests.generative.conftest import small_weights

__all__ = ["small_weights"]
