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
from genai_tutorial.edge.federated import (
    FederatedHistory,
    FederatedSettings,
    adamw,
    apply_update,
    federated_average,
    local_update,
    private_average,
    sgd,
    train_federated,
)
from genai_tutorial.edge.functional_cache import (
    FunctionalCache,
    TracedContext,
)
from genai_tutorial.edge.leakage import (
    best_match,
    gradient_distance,
    gradient_of,
    ngram_rows_in,
    recover_text,
    row_norms,
    texts_from_rows,
    tokens_in,
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
    book_prose,
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
    personalize,
)
from genai_tutorial.edge.phone import (
    JOULES_PER_TOKEN_AND_WEIGHT,
    PHONE,
    Phone,
    PhoneBudget,
    phone_budget,
)
from genai_tutorial.edge.secure_sum import (
    decode_update,
    encode_update,
    mask_update,
    secure_sum,
)

__all__ = [
    "ALL_MATRICES",
    "JOULES_PER_TOKEN_AND_WEIGHT",
    "PHONE",
    "DecoderStep",
    "FederatedHistory",
    "FederatedSettings",
    "FunctionalCache",
    "LossChange",
    "OnnxDecoder",
    "OnnxStep",
    "OwnText",
    "PackedModel",
    "PersonalSettings",
    "Phone",
    "PhoneBudget",
    "RehearsalBatches",
    "TracedContext",
    "WholePass",
    "adamw",
    "apply_update",
    "assemble",
    "best_match",
    "book_prose",
    "decode_update",
    "encode_update",
    "engine_script",
    "engine_source",
    "export_onnx",
    "export_step",
    "federated_average",
    "gradient_distance",
    "gradient_of",
    "kernel_code",
    "local_update",
    "loss_change",
    "mask_update",
    "model_script",
    "ngram_rows_in",
    "pack_model",
    "pack_tokenizer",
    "personalize",
    "phone_budget",
    "private_average",
    "quantize_onnx",
    "read_own_texts",
    "recover_text",
    "row_norms",
    "secure_sum",
    "sgd",
    "texts_from_rows",
    "tokenizer_script",
    "tokens_in",
    "train_federated",
    "unpack_tokenizer",
]
