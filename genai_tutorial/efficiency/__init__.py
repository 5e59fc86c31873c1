"""Efficiency: counting what a model costs, its price on a given machine, quantization,
fused versions for fast inference, and distillation into a smaller model.
"""

from .batching.engine import Engine
from .batching.request import Answer, Request, SamplingOptions
from .batching.static import answer_alone, answer_in_static_batches
from .batching.statistics import Statistics
from .cache_quantization import QuantizedKVCache, read_with_cache
from .counting import Counts, Part, PartName, TrainingMemory, count
from .distillation import (
    TopProbabilities,
    sequence_level_examples,
    soft_target_loss,
    top_probabilities,
    top_target_loss,
)
from .fused import quantized
from .gptq import gptq_quantize, output_error
from .model_sizes import GroupedAttention, LatentAttention, ModelShape
from .native.build import NativeBuildError, find_compiler, kernel_source
from .native.decoder import fastest_decoder, generate_natively, native
from .outliers import int8_activations, kurtosis
from .post_training import Divergence, Predict, prediction_divergence, quantize_layers
from .price import dollars_per_million_tokens, watt_hours_per_million_tokens
from .pruning import (
    Masks,
    activation_masks,
    apply_masks,
    heal,
    magnitude_masks,
    pattern_masks,
    sparse_bits_per_weight,
)
from .public_models import (
    GPT2_SMALL,
    GPT2_XL,
    LLAMA_3_1_8B,
    LLAMA_3_1_70B,
    LLAMA_3_1_405B,
    SMOLLM2_135M,
)
from .quantization import QuantizedMatrix, quantize_affine, quantize_symmetric
from .roofline import (
    MACHINES,
    Machine,
    arithmetic_intensity,
    attainable_rate,
    bytes_per_token,
    flops_per_token,
    memory_bandwidth,
    peak_flops,
)
from .smoothing import activation_maxima, smoothed
from .structured_pruning import (
    UnitScores,
    block_influence,
    keep_blocks,
    narrow_feed_forward,
    unit_scores,
)
