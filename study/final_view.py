"""`study finalize` as a person reads it: what the test set said, beside what dev and confirm said before."""

from engine.metrics import METRICS
from study.console import make_console
from study.finalizing import Final, Opening
from study.shell import command


def print_final(final: Final, home: str | None) -> None:
    """Print the score, how it compares, and where the model is."""
    console = make_console(soft_wrap=True)
    opening = final.opening
    title = METRICS[opening.metric].title
    part = "train and dev" if opening.with_dev else "train"
    console.print(f"{final.name}: {_title(final)}, trained on {part}, judged on {opening.m} test examples")
    console.print(f"  test {title}  {_score(opening)}")
    console.print(f"  in the search (dev) {final.dev_value:.4g}")
    if final.confirmed is not None:
        value, low, high = final.confirmed
        console.print(f"  confirmed on fresh seeds {value:.4g} ({low:.4g} to {high:.4g})")
    for note in final.notes:
        console.print(f"  test rows: {note}")
    if final.times > 1:
        console.print(
            f"The test set has been opened {final.times} times: whoever chooses by these scores can no longer take "
            "them as those of an untouched test set."
        )
    console.print(f"Model:    {final.model}")
    predict = command("predict", final.name, "FILE.csv", "-o", "predictions.csv", home=home)
    console.print(f"Predict:  {predict}")


def _title(final: Final) -> str:
    """Return the trial with the name under which it is taken, if it has one."""
    number = final.opening.trial
    return f"trial {number} (confirmed)" if number == final.choice.confirmed else final.choice.title(number)


def _score(opening: Opening) -> str:
    """Return the value with its interval, or why there is none and what else is known."""
    if opening.value is None:
        others = ", ".join(
            f"{METRICS[name].title} {value:.4g}" for name, value in opening.metrics.items() if value is not None
        )
        return f"is undefined: {opening.undefined[opening.metric]} in the test set ({others})"
    if opening.low is None or opening.high is None:
        return f"{opening.value:.4g}"
    return f"{opening.value:.4g}  ({opening.low:.4g} to {opening.high:.4g}, 95 %)"
