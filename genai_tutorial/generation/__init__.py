"""Generation: sampling text from a language model's predictions.

Read `sampling` and `generate` first. `rollouts` and `prefix` answer many prompts at
once, and `search` chooses among several answers. `constrained` keeps to a regular
expression, which `regular` parses and `json_schema` makes from a schema. `speculative`
saves forward passes by the rule in `speculative_rule`, and `watermark` marks the text.
"""

from .constrained import (
    ConstrainedText,
    Constraint,
    ForbiddenTokens,
    TokenMask,
    mask_row,
)
from .generate import Decoder, Stop, StopAtText, draw, generate, stream
from .json_schema import regex_from_schema
from .prefix import generate_all, option_log_likelihoods, shared_length
from .regular import NOTHING, Regex, derivative, matches, parse_regex
from .rollouts import Rollouts, Score, generate_rollouts, join_rollouts, select_rollouts
from .sampling import (
    LogitsProcessor,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    next_token_probabilities,
    no_repeat_ngram,
    repetition_penalty,
)
from .search import (
    ChosenAnswer,
    ComputePoint,
    Hypothesis,
    SampledAnswer,
    VoteWeight,
    accuracy_per_tokens,
    beam_search,
    best_of_samples,
    self_consistency,
    weighted_vote,
)
from .speculative import (
    Speculation,
    find_continuation,
    generate_speculatively,
    generate_with_lookup,
)
from .speculative_rule import (
    Accepted,
    acceptance_rate,
    expected_tokens,
    speculative_accept,
    speculative_speedup,
)
from .watermark import (
    Detection,
    GreenListWatermark,
    detection_z_score,
    tokens_needed,
    tournament,
)
