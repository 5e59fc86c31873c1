"""The linear probe: exact where a value is a sum over its tokens, and only there."""

import numpy as np
import pytest

from genai_tutorial.interpretability import predict_values


def test_predict_values_is_exact_for_single_digits():
    known = list(range(0, 1000, 7))
    digits = [[int(digit) for digit in f"{value:03}"] for value in known]
    new = [503, 999, 42]
    found = predict_values(
        digits, known, [[int(digit) for digit in f"{value:03}"] for value in new]
    )
    np.testing.assert_allclose(found, new, atol=1e-6)


def test_predict_values_knows_a_token_only_at_its_place():
    known, values = [[1, 2], [2, 2], [1, 3]], [12, 22, 13]
    np.testing.assert_allclose(predict_values(known, values, [[2, 3]]), [23], atol=1e-9)
    # token 3 was never seen first, so only the second token counts
    unseen = predict_values(known, values, [[3, 3]])
    assert abs(unseen[0] - 33) > 1


def test_predict_values_fails_where_pieces_have_no_fixed_worth():
    """7 and 70 share the token 7 at the same place."""
    found = predict_values([[7], [7, 0], [8], [8, 0]], [7, 70, 8, 80], [[9, 0]])
    assert abs(found[0] - 90) > 1


@pytest.mark.parametrize(("known", "values"), [([[1]], [1, 2]), ([], [])])
def test_predict_values_needs_a_value_for_each_row(known, values):
    with pytest.raises(ValueError, match="equally long and not empty"):
        predict_values(known, values, [[1]])
