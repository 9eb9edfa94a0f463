"""The charts of a study's parent run: learning curves, dev value by hyperparameter, and parallel coordinates."""

from study.charts.chart import Axis, Chart, Mark
from study.charts.scales import Choices, Numbers
from study.charts.setting_charts import parallel, slices
from study.charts.svg import draw_chart, draw_charts
from study.charts.trial_charts import cost_curves, progress
from study.charts.trials import TrialFacts, distributions_of, thin_curves
from study.ledger.home import StudyFolder
from study.ledger.ledger import Ledger
from study.ledger.results import Summary
from study.text.formatting import counted

BEST = 10  # number of trials in the chart of learning curves


def draw_pictures(ledger: Ledger, folder: StudyFolder, summary: Summary) -> dict[str, bytes]:
    """Return the charts as SVG by file name; empty if no trial is complete."""
    ranking = summary.ranking()
    if not ranking:
        return {}
    curves = thin_curves(folder, summary)
    shown = dict.fromkeys([*(row.number for row in ranking[:BEST]), *summary.choice.numbers()])
    facts = TrialFacts(
        summary=summary,
        curves={number: curves[number] for number in shown if number in curves},
        distributions=distributions_of(ledger.trials()),
    )
    charts = {
        "best_curves.svg": cost_curves(facts),
        "best_so_far.svg": progress(facts),
        "parallel_coordinates.svg": parallel(facts),
        "importance.svg": importance_chart(ledger),
    }
    pictures = {name: draw_chart(chart).encode() for name, chart in charts.items() if chart is not None}
    against, _ = slices(facts)
    if against:
        pictures["hyperparameters.svg"] = draw_charts(against).encode()
    return pictures


def importance_chart(ledger: Ledger) -> Chart | None:
    """Return a chart of the hyperparameter importances in the ledger; None if there are none."""
    found = ledger.attributes.get("importance", {})
    if "variance" not in found:
        return None
    names = Choices(tuple(reversed([*found["variance"], *(n for n in found["best"] if n not in found["variance"])])))
    x = Numbers(0.0, 1.0)
    height = 0.3 / len(names.ticks())

    def bars(shares: dict[str, float], shift: float) -> str:
        places = [(names.place(name) + shift, share) for name, share in shares.items()]
        return "".join(f"M0 {round((1 - y) * 1000)}H{round(x.place(share) * 2000)}" for y, share in places)

    rough = " (rough: few trials)" if found["few"] else ""
    return Chart(
        key="importance-chart",
        label="Importance of each hyperparameter.",
        x=Axis.of(f"share, from {counted(found['trials'], 'complete trial')}{rough}", x),
        y=Axis.of("hyperparameter", names),
        marks=(
            Mark("rule", "complete bar", bars(found["variance"], height / 2)),
            Mark("rule", "best bar", bars(found["best"], -height / 2)),
        ),
        legend=(("complete", "of the variance (fANOVA)"), ("best", "among the best 10% (PED-ANOVA)")),
    )
