"""Models on the reader's own device: a language model as a file of 8-bit rows, and the
engine that runs it in a web page; personal and federated training; export to ONNX.
"""

from genai_tutorial.edge.assembler import (
    assemble,
)
from genai_tutorial.edge.engine import (
    engine_script,
    engine_source,
    kernel_code,
    model_script,
    tokenizer_script,
)
from genai_tutorial.edge.functional_cache import (
    FunctionalCache,
    State,
    TracedContext,
)
from genai_tutorial.edge.onnx_models import (
    OnnxDecoder,
    OnnxStep,
    quantize_onnx,
)
from genai_tutorial.edge.onnx_step import (
    DecoderStep,
    WholePass,
    export_onnx,
    export_step,
)
from genai_tutorial.edge.own_texts import (
    OwnText,
    read_own_texts,
)
from genai_tutorial.edge.pack import (
    PackedModel,
    pack_model,
)
from genai_tutorial.edge.packed_tokenizer import (
    pack_tokenizer,
    unpack_tokenizer,
)
from genai_tutorial.edge.personal import (
    ALL_MATRICES,
    LossChange,
    PersonalSettings,
    RehearsalBatches,
    loss_change,
    personalise,
)

__all__ = [
    "ALL_MATRICES",
    "DecoderStep",
    "FunctionalCache",
    "LossChange",
    "OnnxDecoder",
    "OnnxStep",
    "OwnText",
    "PackedModel",
    "PersonalSettings",
    "RehearsalBatches",
    "State",
    "TracedContext",
    "WholePass",
    "assemble",
    "engine_script",
    "engine_source",
    "export_onnx",
    "export_step",
    "kernel_code",
    "loss_change",
    "model_script",
    "pack_model",
    "pack_tokenizer",
    "personalise",
    "quantize_onnx",
    "read_own_texts",
    "tokenizer_script",
    "unpack_tokenizer",
]
