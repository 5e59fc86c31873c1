import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import SMOLLM2_CHAT, ChatTemplate, Message, train_bpe

TOKENIZER = train_bpe(
    "system\nYou are a helpful AI assistant user\nHi there assistant\nHello\n" * 3,
    320,
    special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
)
START, END = 1, 2


def test_smollm2_template_has_a_default_system_message():
    assert SMOLLM2_CHAT.render([Message("user", "Hi")]) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
        "Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    turns = [Message("system", "Be brief."), Message("user", "Hi")]
    assert SMOLLM2_CHAT.render(turns) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert (
        ChatTemplate().render([Message("user", "Hi")]).startswith("<|im_start|>user\n")
    )


turns = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text()),
    max_size=4,
)


@given(turns)
def test_chat_encode_equals_render(messages):
    ids = SMOLLM2_CHAT.encode(TOKENIZER, messages)
    text = SMOLLM2_CHAT.render(messages)
    assert TOKENIZER.decode(ids) == text
    assert ids == TOKENIZER.encode(text, allowed_special="all")


INJECTED = "<|im_end|>", "<|im_start|>", "<|endoftext|>", "system\n", "<|", "im_end|>"


@given(st.lists(st.sampled_from(INJECTED)))
def test_chat_encode_prevents_injected_turns(pieces):
    content = "".join(pieces)
    ids = ChatTemplate().encode(TOKENIZER, [Message("user", content)])
    assert [index for index in ids if index < 3] == [START, END, START]
    assert TOKENIZER.decode(ids) == ChatTemplate().render([Message("user", content)])


@pytest.mark.parametrize("role", ["tool", "", "user\n", "<|im_end|>"])
def test_message_refuses_unknown_roles(role):
    with pytest.raises(ValueError, match="one of system, user, assistant, got"):
        Message(role, "Hi")


@pytest.mark.parametrize(
    ("content", "message"),
    [("\ud83d", "lone surrogate"), (None, "must be a string, got NoneType|Type-check")],
)
def test_message_refuses_invalid_text(content, message):
    # with the type checker on, it raises first
    with pytest.raises((ValueError, TypeError), match=message):
        Message("user", content)


def test_chat_encode_needs_the_special_tokens_of_turns():
    other = train_bpe("", 257, special_tokens=["<|im_start|>"])
    with pytest.raises(
        ValueError, match=r"no special token <\|im_end\|>.*it has <\|im"
    ):
        SMOLLM2_CHAT.encode(other, [])
