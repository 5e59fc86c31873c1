"""Efficiency: counting what a model costs, its price on a given machine, quantization,
fused versions for fast inference, and distillation into a smaller model.
"""

from . import model_sizes
from .batching.engine import Engine
from .batching.requests import Answer, Request, SamplingOptions, Statistics
from .batching.static import answer_alone, answer_in_static_batches
from .cache_quantization import QuantizedKVCache, read_with_cache
from .calibration import activation_maxima, gptq_quantize, output_error, smoothed
from .counting import (
    Counts,
    ModelPart,
    TrainingMemory,
    count,
    dollars_per_million_tokens,
    watt_hours_per_million_tokens,
)
from .distillation import (
    TopProbabilities,
    sequence_level_examples,
    soft_target_loss,
    top_probabilities,
    top_target_loss,
)
from .fused import quantized
from .model_sizes import GroupedAttention, LatentAttention, ModelShape
from .native.build import NativeBuildError, find_compiler, kernel_source
from .native.decoder import fastest_decoder, generate_natively, native
from .post_training import Divergence, Predict, prediction_divergence, quantize_layers
from .pruning import (
    Masks,
    UnitScores,
    activation_masks,
    apply_masks,
    block_influence,
    keep_blocks,
    magnitude_masks,
    narrow_feed_forward,
    pattern_masks,
    sparse_bits_per_weight,
    unit_scores,
)
from .quantization import (
    QuantizedMatrix,
    int8_activations,
    quantize_affine,
    quantize_symmetric,
)
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
