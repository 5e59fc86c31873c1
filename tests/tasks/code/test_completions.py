import pytest

from genai_tutorial.tasks.code import complete_functions
from genai_tutorial.tasks.code.problems import StopAfterFunction, cut_completion
from genai_tutorial.tokenization import CharacterTokenizer, train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM


@pytest.mark.parametrize(
    ("completion", "function"),
    [
        ("\n    return 1", "\n    return 1"),
        ("\n    return 1\n", "\n    return 1"),
        ("\n    return 1\n\n\ndef g():\n    pass", "\n    return 1"),
        ("\n    return 1\nprint(f())", "\n    return 1"),
        ("\n    return 1\n# a test\n    x", "\n    return 1"),
        ("\n    return 1\n```\n\nThis", "\n    return 1"),
        ("\n    x = 1\n\n    return x", "\n    x = 1\n\n    return x"),
        (
            "\n    def g():\n        return 2\n\n    return g()\n\nf()",
            "\n    def g():\n        return 2\n\n    return g()",
        ),
        (
            '\n    """Explain\n\nat length"""\n    return 1\nx',
            '\n    """Explain\n\nat length"""\n    return 1',
        ),
        ("\n    '''a \"\"\" b\nc'''\nd", "\n    '''a \"\"\" b\nc'''"),
        ("\n\treturn 1\nx", "\n\treturn 1"),
        # what stands before the first newline belongs to the prompt's last line
        ("return 1\nx", "return 1"),
        ("```\nx", "```"),
        ("", ""),
    ],
)
def test_cut_completion_ends_with_the_function(completion, function) -> None:
    assert cut_completion(completion) == function
    assert cut_completion(function) == function


def test_stop_after_function_stops_when_the_next_line_begins() -> None:
    text = "\n    return 1\n\nd"
    tokenizer = CharacterTokenizer.from_text(text)
    stop = StopAfterFunction(tokenizer)
    assert [stop(tokenizer.encode(text[:end])) for end in (5, 13, 14, 15, 16)] == [
        False,
        False,
        False,
        False,
        True,
    ]


def test_complete_functions_returns_what_greedy_decoding_and_the_cut_leave() -> None:
    text = "def f(x):\n    return x\n\n\ndef g(x):\n    return 2 * x\n" * 20
    tokenizer = train_bpe(text, 280, special_tokens=["<|end|>"])
    model = DecoderLM(DecoderConfig(tokenizer.vocab_size, 64, 16, 1), seed=0)
    prompts = ["def f(x):", "def f(y, z):"]
    together = complete_functions(model, tokenizer, prompts, max_new_tokens=12)
    alone = [
        complete_functions(model, tokenizer, [prompt], max_new_tokens=12)[0]
        for prompt in prompts
    ]
    assert together == alone
    drawn = [
        complete_functions(model, tokenizer, prompts[:1], 12, temperature=1, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
