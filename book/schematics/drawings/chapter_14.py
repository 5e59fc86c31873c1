"""The schematics of chapter 14."""

from book.schematics.kit import Schematic


def two_ways() -> Schematic:
    """Return DPO and PPO side by side: from comparisons to a better policy."""
    drawing = Schematic(
        "dpo_and_ppo",
        334,
        "From comparisons to a policy: DPO and PPO",
        """Above, DPO: 1,735 comparisons go to the trained policy and the frozen
        reference; the difference of their log-ratios is the loss. Below, PPO:
        comparisons train a reward model first, which then scores sampled answers.""",
    )
    drawing.group("DPO: one stage", 6, 6, 668, 154)
    drawing.group("PPO: two stages", 6, 172, 668, 156)
    pairs = drawing.box("comparisons", 22, 72, 110, 52, note="chosen, rejected")
    policy = drawing.box("policy", 206, 50, 108, 44, "train")
    reference = drawing.box("reference", 206, 106, 108, 44, "frozen")
    margin = drawing.box(
        "margin", 376, 65, 124, 66, note="0.1 × difference\nof log-ratios"
    )
    loss = drawing.box("DPO loss", 556, 72, 104, 52, "loss", note="−ln sigmoid")
    drawing.branch(168, 98)
    drawing.arrow(pairs.right, policy.left, via=[(168, 98), (168, 72)])
    drawing.arrow(pairs.right, reference.left, via=[(168, 98), (168, 128)])
    drawing.arrow(policy.right, (376, 86), via=[(344, 72), (344, 86)])
    drawing.arrow(reference.right, (376, 110), via=[(344, 128), (344, 110)])
    drawing.arrow(margin.right, loss.left)
    drawing.arrow(
        loss.top,
        policy.top,
        "gradient",
        "back",
        via=[(608, 32), (260, 32)],
        shift=(0, 15),
    )
    same = drawing.box("comparisons", 22, 214, 110, 52, note="chosen, rejected")
    scorer = drawing.box(
        "reward model", 176, 206, 116, 68, "train", note="1. trained,\nthen frozen"
    )
    drawing.arrow(same.right, scorer.left)
    actor = drawing.box(
        "policy", 534, 206, 126, 68, "train", note="2. trained on its\nown answers"
    )
    drawing.arrow((534, 224), (292, 224), "sampled answers")
    update = drawing.box("PPO loss", 374, 270, 104, 42, "loss")
    drawing.arrow((292, 258), update.left, "scores", via=[(333, 258), (333, 291)])
    drawing.arrow(
        update.right, actor.bottom, "gradient", "back", via=[(597, 291)], shift=(0, 16)
    )
    drawing.legend(22, 316, ("train", "trained"), ("frozen", "frozen"))
    return drawing


def four_models() -> Schematic:
    """Return the four models of PPO."""
    drawing = Schematic(
        "rlhf",
        404,
        "The four models of RLHF with PPO",
        """The trained policy samples an answer. The frozen reference gives its KL
        penalty, the frozen reward model one score, the trained value model what to
        expect. Rewards and values give advantages; two losses send gradients back.""",
    )
    question = drawing.box("question", 6, 150, 72, 40)
    policy = drawing.box("policy", 96, 140, 100, 60, "train", note="to be improved")
    drawing.text("answer", 298, 142, "b")
    tokens = [
        drawing.box(text, 256 + 28 * index, 153, 28, 34, shape="map", face="")
        for index, text in enumerate(("y_{1}", "y_{2}", "y_{3}"))
    ]
    reference = drawing.box(
        "reference", 374, 44, 112, 52, "frozen", note="first policy"
    )
    reward = drawing.box(
        "reward model", 374, 144, 112, 52, "frozen", note="from preferences"
    )
    value = drawing.box(
        "value model", 374, 244, 112, 52, "train", note="expected reward"
    )
    kl = drawing.box("KL penalty", 550, 44, 122, 52, note="0.05 × difference")
    each = drawing.box("reward", 550, 144, 122, 52, note="per token")
    advantage = drawing.box("advantage", 550, 244, 122, 52, note="per token")
    policy_loss = drawing.box(
        "PPO loss", 222, 324, 112, 52, "loss", note="clipped ratio"
    )
    value_loss = drawing.box(
        "value loss", 374, 324, 112, 52, "loss", note="squared error"
    )
    drawing.arrow(question.right, policy.left)
    drawing.arrow(policy.right, tokens[0].left, "sample", shift=(-2, -7))
    for model in (reference, reward, value):
        corner = [(356, 170), (356, model.left[1])]
        drawing.arrow((340, 170), model.left, via=[] if model is reward else corner)
    drawing.branch(356, 170)
    drawing.arrow(
        policy.top,
        kl.top,
        "log-probability of each token",
        via=[(146, 18), (611, 18)],
        shift=(0, -5),
    )
    drawing.arrow(reference.right, kl.left, "log-prob.", shift=(-3, -6))
    drawing.arrow(reward.right, each.left, "score", shift=(-3, -6))
    drawing.arrow(value.right, advantage.left, "values", shift=(-3, -6))
    drawing.arrow(kl.bottom, each.top, "subtract", shift=(8, 3), side="L")
    drawing.arrow(each.bottom, advantage.top, "GAE", shift=(8, 3), side="L")
    drawing.arrow((576, 296), value_loss.right, "returns", via=[(576, 350)])
    drawing.arrow(
        (640, 296),
        policy_loss.bottom,
        "advantages",
        via=[(640, 394), (278, 394)],
        at=0.18,
    )
    drawing.arrow(
        policy_loss.left,
        policy.bottom,
        "gradient",
        "back",
        via=[(146, 350)],
        at=0.6,
        shift=(8, 0),
        side="L",
    )
    drawing.arrow(
        value_loss.top, value.bottom, "gradient", "back", shift=(8, 3), side="L"
    )
    drawing.legend(8, 392, ("train", "trained"), ("frozen", "frozen"))
    return drawing


DRAWINGS = (two_ways, four_models)
