"""SmolLM2 in the book's decoder equals transformers' Llama with the same weights.

Their weights are read from the GGUF file independently of the package: with other names
and another formula for the rows of queries and keys.
"""

import random
import sys

import gguf
import pytest
import tokenizers
import torch
import transformers

from genai_tutorial.generation import generate
from genai_tutorial.pretrained import find_smollm2
from genai_tutorial.pretrained.gguf import open_gguf
from genai_tutorial.tokenization import SMOLLM2_CHAT, Message
from tests.parity.weights import same

pytestmark = pytest.mark.slow

PROSE = (
    "The lighthouse keeper climbed the stairs every evening at six, lit the lamp, and "
    "wrote one line into his book: the wind, the ships he had seen, and whether the "
    "gulls had come back. In forty years he had missed two evenings. The first time, "
    "his daughter was born; the second time, the sea had taken the lower half of the "
    "stairs, and he sat on a rock until morning, waving a lantern at everything that "
    "moved. Nobody ever asked him why he stayed. If they had, he would have said that "
    "somebody has to know where the land begins."
)
CODE = (
    "def area(radius):\n    return 3.14159 * radius**2\n\nprint([area(r) for r in "
    "range(10)])  # 0, 3.14, 12.57\n"
)
MIXED = "Zoë's café: 1,024 €, 東京 42%, naïve\t\ttabs\n\n\n   and   spaces 🙂🙃"
CHAT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
CHAT += "<|im_start|>assistant\n"
TEXTS = {
    "prose": PROSE * 2, "code": CODE, "mixed": MIXED, "chat": CHAT, "one token": "The",
}  # fmt: skip
NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
OUTER_NAMES = {
    "token_embd.weight": "model.embed_tokens", "output_norm.weight": "model.norm",
}  # fmt: skip


@pytest.fixture(scope="module")
def reader():
    return open_gguf(find_smollm2())


@pytest.fixture(scope="module")
def theirs(reader):
    get = {
        key.removeprefix("llama."): field.contents()
        for key, field in reader.fields.items()
        if key.startswith("llama.")
    }
    config = transformers.LlamaConfig(
        vocab_size=get["vocab_size"], hidden_size=get["embedding_length"],
        intermediate_size=get["feed_forward_length"],
        num_hidden_layers=get["block_count"],
        num_attention_heads=get["attention.head_count"],
        num_key_value_heads=get["attention.head_count_kv"],
        max_position_embeddings=get["context_length"],
        rms_norm_eps=get["attention.layer_norm_rms_epsilon"],
        rope_theta=get["rope.freq_base"], tie_word_embeddings=True, bos_token_id=1,
        eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    heads_of = {
        "attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads,
    }  # fmt: skip
    state = {}
    for tensor in reader.tensors:
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy()
        place = OUTER_NAMES.get(tensor.name)
        if not place:
            _, layer, part, _ = tensor.name.split(".")
            place = f"model.layers.{layer}.{NAMES[part]}"
            if heads := heads_of.get(part):
                rows = weight.reshape(heads, len(weight) // heads // 2, 2, -1)
                weight = rows.swapaxes(2, 1).reshape(weight.shape)
        state[f"{place}.weight"] = torch.from_numpy(weight)
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    model.load_state_dict(state, assign=True)
    rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding
    model.model.rotary_emb = rotary(config)
    return model.eval()


@pytest.fixture(scope="module")
def ids(smollm2):
    """The texts as tokens."""
    _, tokenizer = smollm2
    return {
        name: torch.tensor([tokenizer.encode(text, allowed_special="all")])
        for name, text in TEXTS.items()
    }


@pytest.fixture(scope="module")
def logits(smollm2, ids):
    model, _ = smollm2
    with torch.inference_mode():
        return {name: model(row) for name, row in ids.items()}


@pytest.mark.slow
def test_smollm2_settings_match_report(smollm2):
    model, tokenizer = smollm2
    config = model.config
    assert model.parameter_count() == 134_515_008
    attention = config.attention
    assert (config.layers, config.width, config.hidden_width) == (30, 576, 1536)
    assert (attention.heads, attention.key_value_heads) == (9, 3)
    assert (config.head_width, config.context_length) == (64, 8192)
    assert (attention.rotary_base, config.norm.epsilon) == (100_000.0, 1e-5)
    assert config.tied_embeddings is True
    assert config.vocab_size == tokenizer.vocab_size == 49_152
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    assert [tokenizer.special_tokens[name] for name in special] == [0, 1, 2]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not model.training


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
def test_logits_are_equal(name, ids, logits, theirs):
    with torch.inference_mode():
        same(logits[name], theirs(ids[name]).logits, atol=1e-4, rtol=0)
    if name == "prose":
        assert ids[name].shape[1] > 200


def test_logit_differences_come_from_rotary_angles(
    smollm2, ids, logits, theirs, monkeypatch
):
    """They compute the angles in 32 bits, we in 64; with our angles, their logits equal
    ours.
    """
    length = ids["prose"].shape[1]
    rotary = smollm2[0].rotary
    half = rotary.sines[:length, rotary.sines.shape[1] // 2 :]
    angles = rotary.cosines[None, :length], torch.cat((half, half), dim=1)[None]
    monkeypatch.setattr(
        theirs.model.rotary_emb, "forward", lambda x, position_ids=None: angles
    )
    with torch.inference_mode():
        same(logits["prose"], theirs(ids["prose"]).logits, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chat", "code"])
def test_greedy_answers_are_equal(name, smollm2, ids, theirs):
    model, tokenizer = smollm2
    ours = generate(model, ids[name], 12, temperature=0.0, stop_tokens=[2])
    answer = theirs.generate(
        ids[name], attention_mask=torch.ones_like(ids[name]), max_new_tokens=12,
        do_sample=False,
    )  # fmt: skip
    assert ours.tolist() == answer.tolist()
    if name == "chat":
        assert "Paris" in tokenizer.decode(ours[0, ids[name].shape[1] :].tolist())


# --- The tokenizer --------------------------------------------------------------------


@pytest.fixture(scope="module")
def their_tokenizer(reader):
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [
        tuple(pair.split(" "))
        for pair in reader.fields["tokenizer.ggml.merges"].contents()
    ]
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    bpe = tokenizers.models.BPE(
        {token: i for i, token in enumerate(tokens)}, merges, unk_token=tokens[0]
    )
    tokenizer = tokenizers.Tokenizer(bpe)
    digits = tokenizers.pre_tokenizers.Digits(individual_digits=True)
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [token for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
    )
    return tokenizer


def fuzz_texts(count, seed):
    """Draw texts of words, digits, spaces, punctuation and characters from every
    Unicode plane.
    """
    draw = random.Random(seed)
    words = [*PROSE.split(), "don't", "I'LL", "we've", "x=1", "http://a.b/c?d=e"]
    words += ["naïve", "Straße", "東京都", "مرحبا", "ไทย"]
    signs = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "'"]
    signs += ["...", "--", "€", "½", "Ⅷ", "٣", "🙂", "e\u0301"]

    def piece():
        kind = draw.random()
        if kind < 0.4:
            return draw.choice(words) + draw.choice(("", " "))
        if kind < 0.55:
            return str(draw.randrange(10 ** draw.randint(1, 9)))
        if kind < 0.85:
            return draw.choice(signs)
        while True:
            below = draw.choice((0x250, 0x3000, sys.maxunicode))
            character = chr(draw.randrange(below))
            if not "\ud800" <= character <= "\udfff":
                return character

    return ["".join(piece() for _ in range(draw.randint(1, 40))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_tokenizers_are_equal(seed, smollm2, their_tokenizer):
    _, tokenizer = smollm2
    texts = [*TEXTS.values(), *fuzz_texts(1000, seed)]
    for text, encoding in zip(texts, their_tokenizer.encode_batch(texts), strict=True):
        assert tokenizer.encode(text, allowed_special="all") == encoding.ids, repr(text)


def test_chat_template_matches_file(reader, smollm2, their_tokenizer):
    import jinja2.sandbox

    template = jinja2.sandbox.ImmutableSandboxedEnvironment().from_string(
        reader.fields["tokenizer.chat_template"].contents()
    )
    turns = [
        ("user", "Hi there, 2 questions."),
        ("assistant", "Ask!"),
        ("user", "Who?\n\nAnd why?"),
    ]
    for conversation in (turns[:1], turns, [("system", "Be brief."), *turns]):
        messages = [
            {"role": role, "content": content} for role, content in conversation
        ]
        theirs = template.render(messages=messages, add_generation_prompt=True)
        ours = [Message(role, content) for role, content in conversation]
        assert SMOLLM2_CHAT.render(ours) == theirs
        assert (
            SMOLLM2_CHAT.encode(smollm2[1], ours) == their_tokenizer.encode(theirs).ids
        )
