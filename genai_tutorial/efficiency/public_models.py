"""Published settings of public models, as input for `count`.

There are no weights here. Every number comes from the report or the settings file that
the comment above it links to.
"""

from genai_tutorial.transformer import DecoderConfig

from .model_sizes import GroupedAttention, LatentAttention, ModelShape, shape_of

# Radford et al., Language Models are Unsupervised Multitask Learners, table 2; the
# heads are the released models'.
# https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
# The parameter counts in that table (117M, 345M, 762M) are wrong, as the authors write
# in
# https://github.com/openai/gpt-2.
GPT2_SMALL = shape_of(DecoderConfig.gpt2(width=768, layers=12, heads=12))
GPT2_MEDIUM = shape_of(DecoderConfig.gpt2(width=1024, layers=24, heads=16))
GPT2_LARGE = shape_of(DecoderConfig.gpt2(width=1280, layers=36, heads=20))
GPT2_XL = shape_of(DecoderConfig.gpt2(width=1600, layers=48, heads=25))


def _llama_3_1(
    width: int, layers: int, heads: int, feed_forward_width: int
) -> ModelShape:
    return ModelShape(
        vocab_size=128_256,
        context_length=131_072,
        width=width,
        layers=layers,
        attention=GroupedAttention(heads, key_value_heads=8, head_width=128),
        feed_forward_width=feed_forward_width,
    )


# Grattafiori et al., The Llama 3 Herd of Models, table 3:
# https://arxiv.org/abs/2407.21783
LLAMA_3_1_8B = _llama_3_1(width=4096, layers=32, heads=32, feed_forward_width=14_336)
LLAMA_3_1_70B = _llama_3_1(width=8192, layers=80, heads=64, feed_forward_width=28_672)
LLAMA_3_1_405B = _llama_3_1(
    width=16_384, layers=126, heads=128, feed_forward_width=53_248
)

# Jiang et al., Mixtral of Experts, table 1: https://arxiv.org/abs/2401.04088
MIXTRAL_8X7B = ModelShape(
    vocab_size=32_000,
    context_length=32_768,
    width=4096,
    layers=32,
    attention=GroupedAttention(heads=32, key_value_heads=8, head_width=128),
    feed_forward_width=14_336,
    experts=8,
    experts_per_token=2,
    expert_width=14_336,
)

# DeepSeek-AI, DeepSeek-V3 Technical Report, section 4.2:
# https://arxiv.org/abs/2412.19437; the width of the dense layers is from
# https://huggingface.co/deepseek-ai/DeepSeek-V3/blob/main/config.json. The multi-token
# prediction module is left out, as in the report's 671B, because the model runs without
# it. So are the 256 balancing biases per layer, which are set by a rule and not by
# gradients.
DEEPSEEK_V3 = ModelShape(
    vocab_size=129_280,
    context_length=131_072,
    width=7168,
    layers=61,
    attention=LatentAttention(
        heads=128,
        query_rank=1536,
        key_value_rank=512,
        unrotated_width=128,
        rotary_width=64,
        value_width=128,
    ),
    feed_forward_width=18_432,
    experts=256,
    experts_per_token=8,
    shared_experts=1,
    expert_width=2048,
    dense_layers=3,
)

# Ben Allal et al., SmolLM2, https://arxiv.org/abs/2502.02737; the sizes are those of
# the file that chapter 5 loads.
SMOLLM2_135M = ModelShape(
    vocab_size=49_152,
    context_length=8192,
    width=576,
    layers=30,
    attention=GroupedAttention(heads=9, key_value_heads=3, head_width=64),
    feed_forward_width=1536,
    tied_embeddings=True,
)
