"""World models: learn a world from its frames, dream in it, and play."""

from .actor_critic import (
    ActorCritic,
    ActorCriticSettings,
    DreamHistory,
    Dreams,
    actor_critic_loss,
    learn_in_dreams,
)
from .dream import (
    Dream,
    DreamState,
    Imagined,
    ModelPlayer,
    Policy,
    dream_starts,
    dream_step,
    imagine,
    state_after,
)
from .dreamer import Dreamer
from .dynamics import WorldModel, WorldModelConfig, WorldPrediction
from .episodes import episode_returns
from .gymnasium_world import GymnasiumWorld, minigrid_world
from .latent_actions import (
    LatentActions,
    LatentActionTraining,
    Renaming,
    best_renaming,
    latent_action_loss,
    train_latent_actions,
)
from .learning import (
    RATES,
    LossWeights,
    WorldModelLoss,
    WorldModelTraining,
    train_world_model,
    world_model_loss,
)
from .model_free import (
    PixelAgent,
    PixelPlayer,
    PlayedSteps,
    PPOLearner,
    learn_by_playing,
)
from .planning import (
    DreamStep,
    PlanSettings,
    States,
    cross_entropy_search,
    planning_policy,
)
from .recording import Recording, Windows, record
from .representation import CategoricalEncoder, categorical_kl, straight_through
from .returns import ReturnScale, lambda_returns
from .side_by_side import DreamComparison, dream_beside_reality
from .table_world import (
    Experiences,
    TableWorld,
    action_values,
    five_places,
    learn_table,
)
from .world import Player, World, WorldStep
