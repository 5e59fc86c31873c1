"""Scores, and those that cure a hacked one."""

import pytest
import torch

from benchmarks.molecule_scores import (
    NearDataScore,
    ProductScore,
    log_p_score,
    log_p_window,
)
from genai_tutorial.science.molecules import log_p, qed, qed_score, valid_scores

pytest.importorskip("rdkit")

WAX = "C" * 30
INVALID = "C1CC"


@pytest.mark.parametrize(
    "score", [qed_score, log_p_score, log_p_window, NearDataScore(qed_score, ("CCO",))]
)
def test_score_of_an_invalid_string_is_zero(score):
    scores = score([INVALID, "", "CCO"])
    assert scores[:2].tolist() == [0, 0]
    assert scores[2] > 0 or score is log_p_window
    assert score([INVALID]).tolist() == [0]


def test_scores_are_the_properties():
    assert qed_score(["CCO"])[0] == pytest.approx(qed("CCO"))
    expected = torch.sigmoid(torch.tensor((log_p("CCO") - 4) / 1.5))
    assert log_p_score(["CCO"])[0] == pytest.approx(float(expected))


def test_log_p_score_is_highest_for_wax_and_its_cures_are_not():
    drug = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"  # ibuprofen
    assert log_p_score([WAX])[0] > 0.95 > log_p_score([drug])[0]
    product = ProductScore((log_p_score, qed_score))
    near = NearDataScore(log_p_score, (drug,))
    for cure in (product, near, log_p_window):
        assert cure([drug])[0] > cure([WAX])[0]


def test_product_score_multiplies():
    score = ProductScore((qed_score, log_p_score))
    expected = qed_score(["CCO"]) * log_p_score(["CCO"])
    assert torch.equal(score(["CCO"]), expected)


def test_near_data_score_is_the_score_itself_near_the_data():
    score = NearDataScore(qed_score, ("CCO", "c1ccccc1"), similarity=1.0)
    assert score(["OCC", "CCCO"]).tolist() == [float(qed_score(["CCO"])), 0.0]
    with pytest.raises(ValueError, match="similarity must be from 0 to 1, got 2"):
        NearDataScore(qed_score, ("CCO",), similarity=2)


def test_valid_scores_calls_once_with_canonical_strings():
    calls = []

    def score(molecules):
        calls.append(molecules)
        return [1.0] * len(molecules)

    assert valid_scores(["OCC", INVALID], score).tolist() == [1, 0]
    assert calls == [["CCO"]]
