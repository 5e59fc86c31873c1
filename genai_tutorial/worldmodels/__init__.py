"""World models: learn a world from its frames, dream in it, and play."""

from genai_tutorial.worldmodels.actor_critic import (
    ActorCritic,
    ActorCriticSettings,
    DreamHistory,
    Dreams,
    actor_critic_loss,
    learn_in_dreams,
)
from genai_tutorial.worldmodels.dream import (
    Dream,
    DreamState,
    Imagined,
    ModelPlayer,
    Policy,
    dream_starts,
    dream_step,
    imagine,
    sample_codes,
    state_after,
)
from genai_tutorial.worldmodels.dynamics import (
    REWARDS,
    GatedRecurrentUnit,
    Prediction,
    WorldModel,
    WorldModelConfig,
)
from genai_tutorial.worldmodels.ensemble import (
    CodeEnsemble,
    disagreement,
    penalized,
    train_ensemble,
)
from genai_tutorial.worldmodels.gymnasium_world import (
    GymnasiumWorld,
    minigrid_world,
)
from genai_tutorial.worldmodels.learning import (
    RATES,
    LossWeights,
    WorldModelLoss,
    WorldModelTraining,
    train_world_model,
    world_model_loss,
)
from genai_tutorial.worldmodels.model_free import (
    GAME_PPO,
    PixelAgent,
    PixelPlayer,
    Play,
    PPOLearner,
    TwoFrames,
    learn_by_playing,
)
from genai_tutorial.worldmodels.planning import (
    DreamStep,
    PlanSettings,
    cross_entropy_plan,
    cross_entropy_search,
    imagined_returns,
    planning_policy,
)
from genai_tutorial.worldmodels.recording import (
    Recording,
    Windows,
    record,
)
from genai_tutorial.worldmodels.representation import (
    CategoricalEncoder,
    FrameDecoder,
    categorical_kl,
    mix_uniform,
    one_hot_sample,
    straight_through,
)
from genai_tutorial.worldmodels.returns import (
    ReturnScale,
    lambda_returns,
)
from genai_tutorial.worldmodels.side_by_side import (
    SideBySide,
    dream_beside_reality,
)
from genai_tutorial.worldmodels.table_world import (
    Experiences,
    TableWorld,
    action_values,
    explore,
    five_places,
    learn_table,
)
from genai_tutorial.worldmodels.world import (
    Player,
    Step,
    World,
)

__all__ = [
    "GAME_PPO",
    "RATES",
    "REWARDS",
    "ActorCritic",
    "ActorCriticSettings",
    "CategoricalEncoder",
    "CodeEnsemble",
    "Dream",
    "DreamHistory",
    "DreamState",
    "DreamStep",
    "Dreams",
    "Experiences",
    "FrameDecoder",
    "GatedRecurrentUnit",
    "GymnasiumWorld",
    "Imagined",
    "LossWeights",
    "ModelPlayer",
    "PPOLearner",
    "PixelAgent",
    "PixelPlayer",
    "PlanSettings",
    "Play",
    "Player",
    "Policy",
    "Prediction",
    "Recording",
    "ReturnScale",
    "SideBySide",
    "Step",
    "TableWorld",
    "TwoFrames",
    "Windows",
    "World",
    "WorldModel",
    "WorldModelConfig",
    "WorldModelLoss",
    "WorldModelTraining",
    "action_values",
    "actor_critic_loss",
    "categorical_kl",
    "cross_entropy_plan",
    "cross_entropy_search",
    "disagreement",
    "dream_beside_reality",
    "dream_starts",
    "dream_step",
    "explore",
    "five_places",
    "imagine",
    "imagined_returns",
    "lambda_returns",
    "learn_by_playing",
    "learn_in_dreams",
    "learn_table",
    "minigrid_world",
    "mix_uniform",
    "one_hot_sample",
    "penalized",
    "planning_policy",
    "record",
    "sample_codes",
    "state_after",
    "straight_through",
    "train_ensemble",
    "train_world_model",
    "world_model_loss",
]
