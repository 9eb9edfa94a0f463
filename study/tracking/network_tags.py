"""The tags that describe the networks of a final model, on its run and on that of its study."""

from study.ledger.test_evaluation import TestEvaluation


def network_tags(opening: TestEvaluation) -> dict[str, str]:
    """Return tags on the networks that a final model averages, and what they were trained on."""
    trials = [member.trial for member in opening.members] or [opening.trial]
    tags = {"study.temperature": f"{opening.temperature:.6g}"} if opening.temperature != 1 else {}
    if opening.threshold is not None:
        tags["study.threshold"] = f"{opening.threshold:.6g}"
    return tags | {
        "study.networks": str(opening.networks),
        "study.members": ", ".join(map(str, trials)),
        "study.trained_on": "train and dev" if opening.with_dev else "train",
    }
