"""Generation: sampling text from a language model's predictions."""

from .beam import Hypothesis, beam_search
from .choosing import (
    ChosenAnswer,
    ComputePoint,
    SampledAnswer,
    Weight,
    accuracy_per_tokens,
    best_of_samples,
    self_consistency,
    weighted_vote,
)
from .constrained import ConstrainedText, TokenMask
from .constraint import Constraint, ForbiddenTokens
from .generate import draw, generate, stream
from .json_schema import regex_from_schema
from .options import option_log_likelihoods
from .penalties import LogitsProcessor, no_repeat_ngram, repetition_penalty
from .prefix import generate_all, shared_length
from .prompt_lookup import find_continuation, generate_with_lookup
from .regular import derivative, matches
from .regular_nodes import NOTHING, Regex
from .regular_parser import parse_regex
from .rollout_rows import join_rollouts, select_rollouts
from .rollouts import Rollouts, Score, generate_rollouts
from .sampling import keep_min_p, keep_top_k, keep_top_p, next_token_probabilities
from .speculative import Speculation, generate_speculatively
from .speculative_rule import (
    Accepted,
    acceptance_rate,
    expected_tokens,
    speculative_accept,
    speculative_speedup,
)
from .stopping import Decoder, Stop, StopAtText
from .tournament import TournamentSampling, tournament
from .watermark import Detection, GreenListWatermark, detection_z_score, tokens_needed
