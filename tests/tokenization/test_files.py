import dataclasses
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    PreTokenizer,
    train_bpe,
)

TOKENIZER = train_bpe(
    "low lower lowest 文字 😀😀", 280, GPT4_PATTERN, ["<|end|>", "<é>"]
)
FORMATS = {
    "book": (BPETokenizer.save, BPETokenizer.load),
    "hugging_face": (BPETokenizer.to_hugging_face, BPETokenizer.from_hugging_face),
}
each_format = pytest.mark.parametrize(("write", "read"), FORMATS.values(), ids=FORMATS)


@each_format
@pytest.mark.parametrize(
    "pattern",
    [GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN],
    ids=lambda pattern: pattern.name,
)
def test_save_and_load_are_inverse(write, read, pattern, tmp_path):
    tokenizer = train_bpe("low lower lowest 文字", 280, pattern, ["<|end|>", "<é>"])
    path = tmp_path / "tokenizer.json"
    write(tokenizer, path)
    again = read(str(path))
    assert again == tokenizer
    ids, expected = (one.encode("lowest 文<é>", "all") for one in (again, tokenizer))
    assert ids == expected
    assert os.listdir(tmp_path) == ["tokenizer.json"]


@each_format
def test_save_and_load_keep_the_unknown_token(write, read, tmp_path):
    kept = [token for token in TOKENIZER.token_bytes if token != b"\x00"]
    for unknown_id in (0, 5):
        tokenizer = BPETokenizer.from_parts(
            kept, TOKENIZER.merges, {"<|end|>": 0, "<é>": 1}, GPT2_PATTERN, unknown_id
        )
        write(tokenizer, tmp_path / "tokenizer.json")
        assert read(tmp_path / "tokenizer.json") == tokenizer


@each_format
def test_custom_patterns_are_not_written(write, read, tmp_path):
    tokenizer = train_bpe("low", 257, PreTokenizer("mine", r"(?s)."))
    with pytest.raises(ValueError, match=r"patterns gpt2, gpt4, smollm2 .*not 'mine'"):
        write(tokenizer, tmp_path / "tokenizer.json")
    assert os.listdir(tmp_path) == []


@each_format
@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(write, read, part, tmp_path):
    path = tmp_path / "tokenizer.json"
    write(TOKENIZER, path)
    content = path.read_bytes().rstrip()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ValueError, match="not a tokenizer, or is damaged or cut off"):
        read(path)


HOSTILE = {
    "nested": b"[" * 200_000,
    "nested objects": b'{"a":' * 200_000,
    "huge number": b'{"format": ' + b"9" * 10_000 + b"}",
    "not a number": b'{"format": NaN}',
    "infinity": b'{"format": -Infinity}',
    "twice": b'{"format": "x", "format": "y"}',
    "no text": b"\xff\xfe\x00\xd8",
    "binary": bytes(range(256)),
    "list": b"[]",
    "null": b"null",
    "empty": b"",
    "another object": b"{}",
    "zip": b"PK\x03\x04" + b"\x00" * 100,
}


@each_format
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_refused(write, read, content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=r"tokenizer\.json (is not a tokenizer|must have one object|has no entry)",
    ) as error:
        read(path)
    assert len(str(error.value)) < 500


def change(document, where, value):
    """Sets one entry, given by its keys, to a value; DELETE removes it."""
    *way, last = where
    for key in way:
        document = document[key]
    if value is DELETE:
        del document[last]
    else:
        document[last] = value


DELETE = object()
SEQUENCE = {"type": "Sequence"}
NOTHING = SEQUENCE | {"normalizers": []}
WRONG = {
    "book": [
        (["format"], "genai_tutorial byte-level BPE 2", "its format is not"),
        (["pattern"], "(a+)+", r"uses the pattern '\(a\+\)\+'; only gpt2"),
        (["pattern"], None, "'pattern' as str, got 'None'"),
        (["unknown_id"], "0", "unknown_id as int"),
        (["unknown_id"], True, "unknown_id as int"),
        (["unknown_id"], 10**40, "unknown_id must be from 0 to 275"),
        (["special_tokens"], [], "'special_tokens' as dict"),
        (["special_tokens", "<|end|>"], 0.0, "number of '<.end.>' as int, got '0.0'"),
        (["special_tokens", "<|end|>"], 1, "among the tokens at its number, 1"),
        (["special_tokens", "<|new|>"], -1, "among the tokens at its number, -1"),
        (["tokens"], {}, "'tokens' as list"),
        (["tokens", 5], 5, "each token as str, got '5'"),
        (["tokens", 5], "文", "represents no byte"),
        (["tokens", 5], "\ud800", "represents no byte"),
        (["tokens", 5], "", "one byte or more"),
        (["tokens", 5], "a", "Tokens must all be different"),
        (["tokens"], [], "must be among the tokens"),
        (["tokens", 270], DELETE, "which does not exist"),
        (["merges"], None, "'merges' as list"),
        (["merges", 0], ["l"], "each merge as two texts"),
        (["merges", 0], [1, 2], "each merge as two texts"),
        (["merges", 0], {"l": "o"}, "each merge as two texts"),
        (["merges", 0], "lo", "each merge as two texts"),
        (["merges", 0], ["q", "q"], "needs the token b'qq'"),
        (["merges", 0], ["", "l"], "needs the token b''"),
        (["merges", 1], ["l", "o"], "Merges must all be different"),
        (["merges"], DELETE, "has no entry 'merges'"),
    ],
    "hugging_face": [
        (["model"], DELETE, "has no entry 'model'"),
        (["model", "type"], "WordPiece", "type to 'WordPiece'"),
        (["model", "dropout"], 0.1, "dropout to 0.1; .* supports only None"),
        (["model", "byte_fallback"], True, "byte_fallback to True"),
        (["model", "ignore_merges"], "yes", "ignore_merges as true or false"),
        (["model", "end_of_word_suffix"], "</w>", "end_of_word_suffix to '</w>'"),
        (["model", "unk_token"], "<unk>", "no token '<unk>'"),
        (["model", "unk_token"], 0, "unk_token as str"),
        (["model", "vocab"], [], "'vocab' as dict"),
        (["model", "vocab", "a"], True, "number of 'a' as int"),
        (["model", "vocab", "a"], 1.5, "number of 'a' as int"),
        (["model", "vocab", "a"], 3, "gives the number 3 to two tokens"),
        (["model", "vocab", "a"], 10**40, "must number its 276 tokens from 0 to 275"),
        (["model", "vocab", "文"], 280, "represents no byte"),
        (["model", "vocab", "<|end|>"], 276, "Tokens must all be different"),
        (["model", "merges", 0], ["q", "q"], "needs the token b'qq'"),
        (["model", "merges", 0], "l o w", "each merge as two texts"),
        (["added_tokens"], DELETE, "has no entry 'added_tokens'"),
        (["added_tokens", 0], "<|end|>", "each added token as dict"),
        (["added_tokens", 0, "id"], "0", "'id' as int"),
        (["added_tokens", 0, "id"], 1, "same number to two added tokens"),
        (["added_tokens", 0, "lstrip"], True, "the flag lstrip"),
        (["added_tokens", 0, "content"], "<é>", "added token '<é>' twice"),
        (["added_tokens", 0, "content"], "\udc00\udc00", "the number 0 to two tokens"),
        (["normalizer"], {"type": "NFC"}, "has a normalizer"),
        # it would map each byte twice
        (["normalizer"], {"type": "ByteLevel"}, "has a normalizer"),
        (["normalizer"], SEQUENCE | {"normalizers": [{"type": "NFC"}]}, "a normalizer"),
        (["normalizer"], {"type": "Sequence"}, "has a normalizer"),
        (["padding"], {"type": "Sequence", "processors": []}, "has a padding"),
        (["truncation"], {"max_length": 4}, "has a truncation"),
        (["post_processor"], {"type": "TemplateProcessing"}, "has a post_processor"),
        (["decoder"], {"type": "Metaspace"}, "must have a ByteLevel decoder"),
        (["pre_tokenizer"], None, "a pre-tokenizer that is not supported"),
        (["pre_tokenizer"], [[[]]], "a pre-tokenizer that is not supported"),
        (["pre_tokenizer", "pretokenizers", 0, "pattern"], "(a+)+$", "not supported"),
    ],
}


@pytest.mark.parametrize(
    ("name", "where", "value", "message"),
    [(name, *wrong) for name, all_wrong in WRONG.items() for wrong in all_wrong],
    ids=[
        f"{name}-{'.'.join(map(str, where))}-{i}"
        for name in WRONG
        for i, (where, *_) in enumerate(WRONG[name])
    ],
)
def test_invalid_entries_of_a_file_are_refused(name, where, value, message, tmp_path):
    write, read = FORMATS[name]
    path = tmp_path / "tokenizer.json"
    write(TOKENIZER, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document, where, value)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert len(str(error.value)) < 600


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_any_damage_to_a_file_raises_only_a_value_error(name, data, tmp_path_factory):
    write, read = FORMATS[name]
    path = tmp_path_factory.mktemp("file") / "tokenizer.json"
    write(TOKENIZER, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    before = json.dumps(document)
    where, inside = [], document
    while inside and isinstance(inside, dict | list):
        if where and not data.draw(st.booleans()):
            break
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        where.append(data.draw(st.sampled_from(keys)))
        inside = inside[where[-1]]
    change(document, where, data.draw(json_values))
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        tokenizer = read(path)
    except ValueError:
        assert json.dumps(document) != before  # to Python, true is equal to 1
    else:
        ids = tokenizer.encode("low 文", special_as_text=True)
        assert tokenizer.decode(ids) == "low 文"


@each_format
def test_save_and_load_keep_ignore_merges(write, read, tmp_path):
    tokenizer = dataclasses.replace(TOKENIZER, ignore_merges=True)
    write(tokenizer, tmp_path / "tokenizer.json")
    assert read(tmp_path / "tokenizer.json") == tokenizer != TOKENIZER


def test_ignore_merges_must_be_true_or_false():
    with pytest.raises(ValueError, match="ignore_merges as true or false, got '1'"):
        BPETokenizer.from_dict(TOKENIZER.to_dict() | {"ignore_merges": 1})


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("normalizer", NOTHING),
        ("normalizer", SEQUENCE | {"normalizers": [NOTHING]}),
        ("post_processor", SEQUENCE | {"processors": [{"type": "ByteLevel"}]}),
    ],
)
def test_hugging_face_files_may_have_empty_parts(tmp_path, key, part):
    path = tmp_path / "tokenizer.json"
    TOKENIZER.to_hugging_face(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | {key: part}), encoding="utf-8")
    assert BPETokenizer.from_hugging_face(path) == TOKENIZER


def test_hugging_face_files_may_write_a_merge_as_one_string(tmp_path):
    path = tmp_path / "tokenizer.json"
    TOKENIZER.to_hugging_face(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["model"]["merges"] = [
        " ".join(pair) for pair in document["model"]["merges"]
    ]
    for optional in ("ignore_merges", "byte_fallback"):
        del document["model"][optional]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert BPETokenizer.from_hugging_face(path) == TOKENIZER


def test_special_token_with_an_ordinary_spelling_is_not_written(tmp_path):
    tokenizer = train_bpe("a low low low", 262, GPT2_PATTERN, ["Ġl"])
    tokens = [*tokenizer.token_bytes, b" l"]
    tokenizer = BPETokenizer.from_parts(
        tokens, [*tokenizer.merges, (b" ", b"l")], {"Ġl": 0}, GPT2_PATTERN
    )
    with pytest.raises(ValueError, match="cannot distinguish the special token 'Ġl'"):
        tokenizer.to_hugging_face(tmp_path / "tokenizer.json")
    tokenizer.save(tmp_path / "own.json")
    assert BPETokenizer.load(tmp_path / "own.json") == tokenizer


def test_to_dict_and_from_dict_are_inverse():
    saved = json.loads(json.dumps(TOKENIZER.to_dict()))
    assert BPETokenizer.from_dict(saved) == TOKENIZER
    with pytest.raises(ValueError, match="the given dictionary is not a tokenizer"):
        BPETokenizer.from_dict({"tokens": []})
