import pytest

from genai_tutorial.tokenization import train_bpe


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe("low low", 260, special_tokens=["<|im_start|>", "<|im_end|>"])
