"""The stages after pre-training: fine-tuning that can be resumed, and a policy that its
recipe reproduces.
"""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.data import load_fact_split, load_facts
from genai_tutorial.recipes import load
from genai_tutorial.recipes.factbook_assistants import FACTBOOK_PPO, FACTBOOK_SFT
from genai_tutorial.tasks.assistant import (
    CHAT,
    GoldRule,
    encode_demonstrations,
    exam_questions,
)
from genai_tutorial.tasks.assistant.demonstrations import DECLINING_ANSWERS
from genai_tutorial.training import TensorBatches
from tests.recipes.conftest import run_recipe

SHORT = replace(
    FACTBOOK_SFT,
    per_fact=1,
    unknown=3,
    private=3,
    steps=6,
    batch_size=2,
    warmup_steps=1,
)
SMALL = replace(
    FACTBOOK_PPO,
    questions=24,
    answers=2,
    pairs=2,
    budget=40,
    held_out=0.3,
    reward_steps=2,
    steps=2,
    batch_size=4,
)


@pytest.mark.slow
def test_fine_tuning_resumes_to_the_weights_of_an_uninterrupted_run(resumes):
    resumes(SHORT, TensorBatches, "__next__")


@pytest.mark.slow
def test_demonstrated_answers_begin_with_a_space_and_end_their_turn():
    _, tokenizer = load("factbook-base")
    shown = SHORT.demonstrations()[:40]
    rows = encode_demonstrations(tokenizer, shown, 128)
    learned = "".join(
        tokenizer.decode(row[mask].tolist())
        for row, mask in zip(rows.ids, rows.is_answer, strict=True)
    )
    assert sorted(learned.split(CHAT.end)) == sorted(
        ["", *(f" {one.answer}" for one in shown)]
    )


@pytest.mark.slow
def test_exam_questions_are_in_no_demonstration():
    texts = {one.question.text for one in FACTBOOK_SFT.demonstrations()}
    split = load_fact_split()
    for part in (split.taught, split.told, split.new_relations, split.withheld):
        asked = exam_questions(part, 50)
        assert len(asked) == 50
        assert not texts & {question.text for question in asked}


@pytest.mark.parametrize("name", ["factbook-sft", "factbook-ppo"])
def test_assistant_answers_a_question_and_stops(name):
    loaded = load(name)
    options = replace(FACTBOOK_SFT.options, prompt="What is the capital of Kenya?")
    answer = FACTBOOK_SFT.write(loaded, options, seed=0)
    assert "Nairobi" in answer
    assert FACTBOOK_SFT.write(loaded, replace(options, tokens=1), seed=0) != answer
    with pytest.raises(ValueError, match="ask a question"):
        replace(options, prompt="")


@pytest.mark.slow
def test_ppo_recipe_gives_the_same_policy_again(tmp_path):
    one, again = (run_recipe(SMALL, tmp_path) for _ in range(2))
    before = load("factbook-sft")[0].state_dict()
    is_new = False
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
        is_new |= not torch.equal(weight, before[name])
    assert is_new
    assert one.notes == again.notes


@pytest.mark.slow
def test_comparisons_pair_answers_of_every_kind_with_abstentions():
    comparisons = SMALL.compare(*load("factbook-sft"))
    declined = [
        one
        for one in comparisons
        if {one.chosen, one.rejected} & set(DECLINING_ANSWERS)
    ]
    assert {one.question.kind for one in declined} == {
        "known",
        "invented",
        "absent",
        "private",
    }
    rule = GoldRule(load_facts())
    better = [
        rule.score(one.question, one.chosen) - rule.score(one.question, one.rejected)
        for one in comparisons
    ]
    assert sum(better) > 0  # the raters are noisy but agree with the rule on average
