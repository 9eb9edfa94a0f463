"""Print the result of `study finalize`: the test score beside the scores on dev and on fresh seeds."""

from collections.abc import Sequence

from engine.metrics import METRICS
from study.ledger.test_evaluation import TestEvaluation
from study.model.final import Final
from study.text.console import make_console
from study.text.formatting import counted, figure, figures
from study.text.shell import next_command


def print_final(final: Final) -> None:
    """Print the score, how it compares, and where the model is."""
    console = make_console(soft_wrap=True)
    opening = final.opening
    title = METRICS[opening.metric].title
    examples = counted(opening.m, "test example")
    confirmed, average = final.confirmed or (None, None, None), final.average or (None, None, None)
    shown = figures([opening.value, opening.low, opening.high, final.dev_value, *confirmed, *average])
    console.print(f"{final.name}: {_title(final)}, {opening.description}, evaluated on {examples}")
    if opening.diverged:
        console.print(opening.divergence)
    console.print(f"  {title} on test: {_score(opening, shown)}")
    console.print(f"  in the search, on dev: {shown[3]}")
    if final.confirmed is not None:
        console.print(f"  confirmed on fresh seeds, one network: {shown[4]} ({shown[5]} to {shown[6]})")
    if final.average is not None:
        console.print(f"  confirmed on fresh seeds, average of networks: {shown[7]} ({shown[8]} to {shown[9]})")
    for line in opening.adjustments:
        console.print(f"  {line}")
    for note in final.notes:
        console.print(f"  test rows: {note}")
    if final.times > 1:
        console.print(
            f"The test set has been opened {final.times} times. If you choose a model by these scores, "
            "they are no longer unbiased."
        )
    console.print(f"Model:    {final.model_path}")
    predict = next_command("predict", final.name, "FILE.csv", "-o", "predictions.csv")
    console.print(f"Predict:  {predict}")


def _title(final: Final) -> str:
    """Return the title of the trial: its number, and its role in the study if it has one."""
    number = final.opening.trial
    return f"trial {number} (confirmed)" if number == final.choice.confirmed else final.choice.title(number)


def _score(opening: TestEvaluation, shown: Sequence[str]) -> str:
    """Return the value with its interval, or the reason why it is undefined, with the other metrics.

    shown: value, low and high, already formatted.
    """
    if opening.value is None:
        others = ", ".join(
            f"{METRICS[name].title} {figure(value)}" for name, value in opening.metrics.items() if value is not None
        )
        return f"undefined, {opening.undefined[opening.metric]} in the test set ({others})"
    if opening.low is None or opening.high is None:
        return shown[0]
    return f"{shown[0]} (95% interval {shown[1]} to {shown[2]})"
