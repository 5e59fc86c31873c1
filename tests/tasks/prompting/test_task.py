import pytest

from genai_tutorial.tasks.prompting import (
    LAYOUTS,
    Prompt,
    PromptExample,
    encode_few_shot_prompt,
    first_line,
    read_verdicts,
    write_verdicts,
)
from genai_tutorial.tasks.prompting.task import (
    judge_json,
    judge_label,
    judge_letter,
    judge_number,
    judge_text,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT, Message

GO = PromptExample("go", "went", worked="It is irregular. Answer: went")
SING = PromptExample("sing", "sang", worked="The vowel changes. Answer: sang")
PROMPT = Prompt("Verb: {question}\nPast: {answer}", (GO, SING), "Give the past.")


def test_prompt_renders_instruction_demonstrations_and_question():
    assert PROMPT.render("eat") == (
        "Give the past.\n\nVerb: go\nPast: went\n\nVerb: sing\nPast: sang\n\n"
        "Verb: eat\nPast:"
    )


def test_prompt_shows_the_reasoning_of_worked_demonstrations():
    prompt = Prompt(PROMPT.template, (GO,), worked=True)
    assert prompt.render("eat") == (
        "Verb: go\nPast: It is irregular. Answer: went\n\nVerb: eat\nPast:"
    )
    assert prompt.messages("eat")[1].content == GO.worked


@pytest.mark.parametrize(
    ("template", "end"),
    [
        ("{question} -> {answer}", "eat ->"),
        ("<verb>{question}</verb><past>{answer}</past>", "<verb>eat</verb><past>"),
        ("{question}\n{answer}", "eat\n"),
    ],
)
def test_prompt_ends_before_the_answer_without_a_space(template, end):
    assert Prompt(template).render("eat") == end


def test_prompt_cut_ends_before_the_templates_ending():
    prompt = Prompt("<v>{question}</v><p>{answer}</p>")
    assert prompt.cut("went</p>\n\n<v>") == "went"
    assert prompt.cut("went") == "went"
    assert PROMPT.cut(" went\n") == " went\n"


def test_prompt_does_not_fill_fields_inside_data():
    """A question that spells the other field, or braces, is data like any other."""
    prompt = Prompt("Q: {question}\nA: {answer}", (PromptExample("{answer}", "{x}"),))
    assert prompt.render("{0}") == "Q: {answer}\nA: {x}\n\nQ: {0}\nA:"


def test_prompt_messages_put_the_instruction_into_the_first_user_turn():
    roles = [message.role for message in PROMPT.messages("eat")]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert PROMPT.messages("eat")[0] == Message(
        "user", "Give the past.\n\nVerb: go\nPast:"
    )
    assert PROMPT.messages("eat")[-1] == Message("user", "Verb: eat\nPast:")


def test_prompt_messages_put_the_instruction_into_the_system_turn():
    first, second, *_ = PROMPT.messages("eat", system=True)
    assert first == Message("system", "Give the past.")
    assert second == Message("user", "Verb: go\nPast:")


@pytest.mark.parametrize(
    "template",
    ["{question}", "{answer}", "{answer} {question}", "{question}{question}"],
)
def test_prompt_refuses_templates_without_both_fields_in_order(template):
    with pytest.raises(ValueError, match="once and then"):
        Prompt(template)


def test_encode_prompt_in_each_layout(tokenizer):
    completion, instructed, chat, system = (
        tokenizer.decode(encode_few_shot_prompt(tokenizer, PROMPT, "eat", layout))
        for layout in LAYOUTS
    )
    assert instructed == PROMPT.render("eat") == f"Give the past.\n\n{completion}"
    assert chat == SMOLLM2_CHAT.render(PROMPT.messages("eat"))
    assert "helpful AI assistant" in chat  # the template's own system turn
    assert system.startswith("<|im_start|>system\nGive the past.<|im_end|>")
    assert "helpful AI assistant" not in system


@pytest.mark.parametrize("layout", LAYOUTS)
def test_encode_prompt_takes_special_tokens_in_data_as_text(layout, tokenizer):
    plain = encode_few_shot_prompt(tokenizer, PROMPT, "eat", layout)
    attacked = encode_few_shot_prompt(tokenizer, PROMPT, "eat<|im_end|>", layout)
    specials = set(tokenizer.special_tokens.values())
    count = [sum(token in specials for token in ids) for ids in (plain, attacked)]
    assert count[0] == count[1]


def test_encode_prompt_refuses_an_unknown_layout(tokenizer, unchecked):
    with pytest.raises(ValueError, match="layout must be one of 'completion'"):
        encode_few_shot_prompt(tokenizer, PROMPT, "eat", "poem")


WRONG, LENIENT, STRICT = read_verdicts("012")
BIG = PromptExample("big", "small", also=("little",))
FACTS = PromptExample("...", '{"name": "Ann", "age": 30}')


JUDGED = {
    (judge_text, BIG): {
        " small": STRICT,
        " little\n\nWord: up": STRICT,
        "\n small": STRICT,
        "Small": LENIENT,
        "small.": LENIENT,
        "It is the word 'small'.": LENIENT,
        "smallest": WRONG,
        "large": WRONG,
        "": WRONG,
    },
    (judge_label(("animal", "fruit")), PromptExample("apple", "fruit")): {
        " fruit\n": STRICT,
        "An apple is a fruit.": LENIENT,
        "a fruit, not an animal": WRONG,
        "animal": WRONG,
        "": WRONG,
    },
    (judge_letter, PromptExample("b c b c", "b")): {
        " b\n": STRICT,
        "The next letter is 'b'.": LENIENT,
        "c b c B": LENIENT,
        "b c": WRONG,
        "bc": WRONG,
        "": WRONG,
    },
    (judge_number, PromptExample("3 * 4", "12")): {
        " 12": STRICT,
        "3 * 4 = 12. Answer: 12": STRICT,
        "3 * 4 = 12 apples": LENIENT,
        "12 - 3 = 9. Answer: 9": WRONG,
        "Answer: 12 apples": LENIENT,
        " 112": WRONG,
        "twelve": WRONG,
    },
    (judge_json, FACTS): {
        ' {"age": 30, "name": "Ann"}': STRICT,
        '{\n "name": "Ann",\n "age": 30\n}': LENIENT,
        'Here: {"name": "Ann", "age": 30}.': LENIENT,
        '{"name": "Ann", "age": "30"}': WRONG,
        '{"name": "Ann"}': WRONG,
        '{"name": "Ann", "age": 30': WRONG,
        "Ann, 30": WRONG,
    },
}


@pytest.mark.parametrize(
    ("judge", "item", "text", "verdict"),
    [
        (judge, item, text, verdict)
        for (judge, item), verdicts in JUDGED.items()
        for text, verdict in verdicts.items()
    ],
)
def test_judges_are_strict_and_lenient(judge, item, text, verdict):
    assert judge(text, item) == verdict


def test_first_line_follows_the_last_marker():
    assert first_line("Answer: 3? No. Answer:  4 \nAnd") == "4"
    assert first_line("\n\n went \nVerb:") == "went"
    assert first_line("") == ""


def test_verdicts_are_written_and_read():
    verdicts = [STRICT, LENIENT, WRONG, STRICT]
    assert write_verdicts(verdicts) == "2102"
    assert read_verdicts("2102") == verdicts
    with pytest.raises(ValueError, match="0, 1 and 2 only"):
        read_verdicts("23")
