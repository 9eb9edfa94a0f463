"""The final model is an average of networks: which ones, how they are trained, and what they predict together."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from support.command import run_study
from support.confirmed_study import confirmed, ran
from support.in_process import spec_with
from support.regression_study import PRICES, write_prices
from support.small_study import SMALL

from engine import Architecture, Parameters, advance, predict, start
from engine.activations import Array
from engine.metrics import METRICS
from engine.worker_data import read_data
from study import Study
from study.data import Dataset, load, load_combined, open_test
from study.errors import UserError
from study.execution import Workers
from study.ledger.confirmation import read_confirmation
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import Summary, summarize
from study.model import final_training
from study.model.final_training import final_seed, train_model, train_networks
from study.model.finalize import finalize
from study.model.members import Member, choose_members
from study.model.pipeline import NetworkClassifier, NetworkRegressor
from study.search.identity import identify
from study.search.objective import network_seed
from study.search.search_space import architecture_of, complete, training_of
from study.search.session import StudySession, load_all
from study.spec import FinalSpec, parse_spec
from study.text.records import to_json


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the small study, which has run; its final model is the plain average. Tests copy it."""
    folder = tmp_path_factory.mktemp("searched")
    ran(f"{SMALL}\n[final]\ncalibrate = false\n", folder)
    return folder


@pytest.fixture
def home(searched: Path, tmp_path: Path) -> Home:
    """A copy of that home."""
    shutil.copytree(searched, tmp_path / "home")
    return Home(tmp_path / "home")


def networks_of(model: Pipeline) -> list[tuple[Architecture, Array]]:
    """Return architecture and parameters of each network of a final model."""
    return [
        (Architecture(tuple(group["layer_sizes"]), group["hidden_activation"], group["output_activation"]), vector)
        for group in model.named_steps["network"].networks
        for vector in group["vectors"]
    ]


def trained_alone(home: Home, dataset: Dataset, trial: int, seed: int) -> Array:
    """Return the parameters of a network that is trained by itself."""
    with StudySession.open(home, "small") as session:
        configuration = complete(session.spec.space, session.ledger.trials()[trial].params)
    architecture = architecture_of(configuration, dataset.n_x, dataset.n_y, dataset.output_activation)
    initialization = configuration["initialization"]
    state = start(architecture, training_of(configuration), seeds=[seed], initialization=initialization)
    return advance(state, dataset.train.X, dataset.train.Y).parameters[0]


def test_probabilities_are_the_mean_of_those_of_the_networks(home: Home) -> None:
    final = finalize(home, "small", networks=3)
    model, rows = final.model, np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    networks = networks_of(model)
    assert len(networks) == final.opening.networks == 3
    each = [predict(made, Parameters(made.layer_sizes, vector), rows.T)[0] for made, vector in networks]
    assert not np.allclose(each[0], each[1], atol=1e-3)
    shares = model.named_steps["network"].predict_proba(rows)
    np.testing.assert_allclose(shares[:, 1], np.mean(each, axis=0), atol=1e-6)
    assert list(model.named_steps["network"].predict(rows)) == list((shares[:, 1] > 0.5).astype(int))


def test_numbers_are_averaged_in_the_unit_of_the_table(tmp_path: Path) -> None:
    write_prices(tmp_path)
    text = PRICES.replace("[data]", "[data]\nlog_target = true").replace("trials = 14", "trials = 3")
    ran(text, tmp_path)
    final = finalize(Home(tmp_path), "prices", networks=3, train_only=True)
    scale, rows = load(parse_spec(text, "").data, tmp_path).target_scale, np.zeros((4, 3), np.float32)
    assert scale is not None
    rows[:, 0] = [-1, 0, 1, 2]
    each = [
        scale.to_units(predict(made, Parameters(made.layer_sizes, vector), rows.T)[0])
        for made, vector in networks_of(final.model)
    ]
    np.testing.assert_allclose(final.model.named_steps["network"].predict(rows), np.mean(each, axis=0), rtol=1e-5)


def test_the_test_score_is_that_of_the_saved_model(home: Home) -> None:
    final = finalize(home, "small", networks=5)
    test = open_test(parse_spec(SMALL, "").data, home.path, combined=True)
    found = final.model.named_steps["network"].predict_proba(test.X.T)[:, 1][None, :].astype(np.float32)
    for name, value in final.opening.metrics.items():
        assert METRICS[name].compute(test.Y, found) == pytest.approx(value, rel=1e-4)


def test_a_single_network_on_train_is_that_of_the_search(home: Home) -> None:
    final = finalize(home, "small", networks=1, train_only=True)
    best = summarize(home, "small").choice.best
    assert best is not None
    dataset = load(parse_spec(SMALL, "").data, home.path)
    ((_, vector),) = networks_of(final.model)
    with np.load(home.folder("small").result(best)) as file:
        np.testing.assert_array_equal(vector, file["parameters"][0])
    np.testing.assert_array_equal(vector, trained_alone(home, dataset, best, network_seed(0, best)))
    assert (final.opening.trial, final.opening.networks, final.opening.with_dev) == (best, 1, False)
    assert final.opening.description == "trained on train"


@pytest.mark.parametrize("merged_from", [0, 10**9], ids=["merged", "apart"])
def test_a_stack_has_the_bits_of_networks_trained_alone(
    home: Home, merged_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.propagation.MERGED_FROM", merged_from)
    trial = next(row.number for row in summarize(home, "small").ranking() if row.params["depth"])
    model = finalize(home, "small", trial=trial, networks=4).model
    dataset = load_combined(parse_spec(SMALL, "").data, home.path)
    for replica, (_, vector) in enumerate(networks_of(model)):
        np.testing.assert_array_equal(vector, trained_alone(home, dataset, trial, final_seed(0, replica)))


@pytest.mark.slow
def test_jobs_and_an_interruption_change_no_bit(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_training, "LEAST_WORK", 1e-9)
    vectors = []
    for jobs in (1, 2):
        shutil.copytree(home.path, tmp_path / str(jobs))
        model = finalize(Home(tmp_path / str(jobs)), "small", jobs=jobs).model
        vectors.append(np.stack([vector for _, vector in networks_of(model)]))

    def die(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finalize(home, "small", jobs=1, progress=die)
    assert "finalized" not in Ledger(home.folder("small"), "small").attributes
    vectors.append(np.stack([vector for _, vector in networks_of(finalize(home, "small", jobs=1).model)]))
    assert len(vectors[0]) == 10
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert not home.folder("small").finalizing.exists()


def test_workers_read_train_and_dev_and_no_test_row(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, spec = [], parse_spec(SMALL, "").data

    def look(_share: float) -> None:
        seen.append(read_data(str(home.folder("small").finalizing)).X)
        monkeypatch.setattr("study.model.finalize.open_test", refuse)

    def refuse(*_: object, **__: object) -> None:
        raise UserError("it is opened once the networks are trained")

    with pytest.raises(UserError, match="once the networks are trained"):
        finalize(home, "small", jobs=1, progress=look)
    np.testing.assert_array_equal(seen[-1], load_combined(spec, home.path).train.X)


def far_off(places: range) -> Callable[..., bool]:
    """Return a check by which the networks at these places, in the order of training, have diverged."""
    left = iter(range(1000))
    return lambda *_: next(left) in places


def test_up_to_half_of_the_networks_may_diverge(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_training, "_is_far_off", far_off(range(6)))
    with pytest.raises(UserError, match=r"6 of 10 networks of trial \d+ of study 'small' diverged when retrained"):
        finalize(home, "small")
    assert "opening" not in Ledger(home.folder("small"), "small").attributes
    monkeypatch.setattr(final_training, "_is_far_off", far_off(range(5)))
    final = finalize(home, "small")
    assert (final.opening.networks, final.opening.diverged, len(networks_of(final.model))) == (5, 5, 5)
    assert "5 of 10 networks diverged and were left out of the average." in repr(final)
    monkeypatch.setattr(final_training, "_is_far_off", far_off(range(10)))
    with pytest.raises(UserError, match=r"^trial \d+ of study 'small' diverged when retrained; choose another --trial"):
        finalize(home, "small", networks=1, again=True)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A summary whose confirmation has three candidates, of which two are equal."""
    folder = tmp_path_factory.mktemp("summary")
    text = spec_with("trials = 5")
    confirmation = confirmed(text, folder, top=3, seeds=2)
    found = summarize(Home(folder), "small")
    best, second, third = sorted(confirmation.candidates, key=lambda each: -each.value)
    alike = tuple(replace(each, indistinguishable=each is not third) for each in (third, second, best))
    made = replace(confirmation, winner=best.trial, candidates=alike)
    return replace(found, confirm=made, choice=replace(found.choice, confirmed=best.trial, outdated=False))


def test_members_are_the_winner_or_all_that_are_not_worse(summary: Summary) -> None:
    assert summary.confirm is not None
    best, second, third = (each.trial for each in reversed(summary.confirm.candidates))
    ten, top = FinalSpec.model_validate({}), FinalSpec(networks=9, members="top")
    space = parse_spec(spec_with(), "").space
    assert choose_members(summary, best, ten, space) == (Member(best, 10),)
    assert choose_members(summary, best, top, space) == (Member(best, 5), Member(second, 4))
    assert choose_members(summary, third, top, space) == (Member(third, 9),)
    assert choose_members(summary, best, FinalSpec(networks=1, members="top"), space) == (Member(best, 1),)
    with pytest.raises(UserError, match=r'\[final\] members = "top" needs a confirmation of study .small.; run `study'):
        choose_members(replace(summary, confirm=None), best, top, space)


def test_members_have_the_encoding_of_the_first(summary: Summary) -> None:
    """Also if a fixed encoding has several numbers of bins, and if the bins are fixed."""
    assert summary.confirm is not None
    best, second, _ = (each.trial for each in reversed(summary.confirm.candidates))
    top = FinalSpec(networks=9, members="top")

    def members(space: str, mine: dict[str, object], other: dict[str, object]) -> tuple[Member, ...]:
        more = {best: mine, second: other}
        rows = [replace(row, params={**row.params, **more.get(row.number, mine)}) for row in summary.trials]
        found = parse_spec(spec_with(space=space), "").space
        return choose_members(replace(summary, trials=tuple(rows)), best, top, found)

    both = 'encoding = ["standard", "ple"]'
    assert members(both, {"encoding": "ple"}, {"encoding": "ple"}) == (Member(best, 5), Member(second, 4))
    assert members(both, {"encoding": "ple"}, {"encoding": "standard"}) == (Member(best, 9),)
    assert members('encoding = "ple"\nbins = [4, 8]', {"bins": 4}, {"bins": 8}) == (Member(best, 9),)


def test_networks_of_several_configurations_are_averaged(home: Home) -> None:
    first, second = (row.number for row in summarize(home, "small").ranking()[:2])
    members = (Member(first, 2), Member(second, 1))
    with StudySession.open(home, "small", write=True) as session, Workers(1) as workers:
        dataset = load_combined(session.spec.data, session.base)
        trained = train_networks(session, dataset, members, workers)
    assert [(each.trial, len(each.vectors)) for each in trained] == [(first, 2), (second, 1)]
    model = final_training.build_model(dataset, [(each.architecture, each.vectors) for each in trained])
    rows = dataset.train.X[:, :50]
    each = [predict(made, Parameters(made.layer_sizes, vector), rows)[0] for made, vector in networks_of(model)]
    shares = model.named_steps["network"].predict_proba(rows.T)[:, 1]
    np.testing.assert_allclose(shares, np.mean(each, axis=0), atol=1e-6)


def test_the_spec_sets_the_number_of_networks(tmp_path: Path) -> None:
    text = spec_with("trials = 2") + "\n[final]\nnetworks = 2\n"
    ran(text, tmp_path)
    assert finalize(Home(tmp_path), "small").opening.networks == 2
    assert len(networks_of(train_model(Home(tmp_path), "small", 0))) == 2
    assert identify(parse_spec(text, "")) == identify(parse_spec(spec_with("trials = 2"), ""))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("networks = 0", "[final] networks: must be at least 1, got 0"),
        ('members = "best"', "[final] members: unknown value 'best'; available: top, winner"),
        ("network = 3", "[final] network: unknown key; did you mean 'networks'?"),
    ],
)
def test_mistakes_in_the_final_table_are_named(table: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_spec(f"{SMALL}[final]\n{table}\n", "spec")
    assert words in str(caught.value)


def test_train_only_is_refused_with_folds(tmp_path: Path) -> None:
    ran(spec_with("trials = 2", data="folds = 2"), tmp_path)
    done = run_study("finalize", "small", "--train-only", "--home", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--train-only: study 'small' has folds, so its trials were trained on train and dev" in done.stderr


def test_with_dev_is_deprecated_and_changes_nothing(home: Home) -> None:
    study = Study.load("small", home.path)
    with pytest.warns(DeprecationWarning, match="with_dev=, which has no effect, is deprecated; use train_only=True"):
        final = study.finalize(with_dev=False, n_networks=2, n_jobs=1, tracking=False)
    assert final.opening.with_dev
    with pytest.raises(ValueError, match="n_networks must be at least 1, got 0"):
        study.finalize(n_networks=0)


def test_models_of_one_network_as_version_0_2_saved_them_predict(home: Home) -> None:
    model = finalize(home, "small", networks=1).model.named_steps["network"]
    (group,) = model.networks
    plain = {key: group[key] for key in ("layer_sizes", "hidden_activation", "output_activation")}
    old = NetworkClassifier.__new__(NetworkClassifier)
    old.__setstate__({**plain, "vector": group["vectors"][0], "classes": model.classes})
    rows = np.random.default_rng(1).normal(size=(20, 2))
    np.testing.assert_array_equal(old.predict_proba(rows), model.predict_proba(rows))
    number = NetworkRegressor.__new__(NetworkRegressor)
    scale = {"mean": 3.0, "scale": 2.0, "log1p": False}
    number.__setstate__({**plain, "output_activation": "identity", "vector": group["vectors"][0], **scale})
    assert number.predict(rows).shape == (20,)
    assert sorted(number.get_params()) == ["log1p", "mean", "networks", "scale"]


def test_what_a_row_predicts_does_not_depend_on_the_rows_beside_it(home: Home) -> None:
    model = finalize(home, "small", networks=3).model.named_steps["network"]
    rows = np.random.default_rng(2).normal(size=(600, 2))
    whole = model.predict_proba(rows)
    for first, last in ((0, 1), (5, 6), (255, 258), (300, 600)):
        np.testing.assert_allclose(model.predict_proba(rows[first:last]), whole[first:last], rtol=1e-14)


@pytest.mark.parametrize("folds", [False, True])
def test_confirm_gives_the_value_of_the_average(tmp_path: Path, folds: bool) -> None:
    text = spec_with("trials = 4", data="folds = 3" if folds else "")
    confirmation = confirmed(text, tmp_path, top=2, seeds=4)
    parts = [dataset.dev for dataset in load_all(parse_spec(text, "").data, tmp_path)]
    Y = np.concatenate([part.Y for part in parts], axis=1)
    for candidate in confirmation.candidates:
        average = candidate.average
        assert average is not None
        with np.load(tmp_path / f"studies/small/confirm/trial-{candidate.trial}.npz") as file:
            value = METRICS["accuracy"].compute(Y, file["predictions"].mean(axis=0))
        assert (average.networks, average.value) == (4, pytest.approx(value))
        assert average.low <= average.value <= average.high
        assert average.gain == pytest.approx(average.value - candidate.value)
        assert average.gain_low <= average.gain <= average.gain_high


def test_confirmation_of_an_earlier_version_has_no_average(summary: Summary) -> None:
    assert summary.confirm is not None
    kept = to_json(summary.confirm)
    for candidate in kept["candidates"]:  # type: ignore[union-attr]
        del candidate["average"]  # type: ignore[union-attr, arg-type, call-overload]
    known = read_confirmation(kept)
    assert known is not None
    assert [each.average for each in known.candidates] == [None] * 3
    assert "average" not in repr(known)


def test_the_test_rows_are_predicted_by_the_average(home: Home) -> None:
    finalize(home, "small", networks=3)
    frame = pd.DataFrame(np.random.default_rng(3).normal(size=(5, 2)), columns=["x_1", "x_2"])
    made = Study.load("small", home.path).predict(frame)
    assert np.allclose(made.filter(like="probability").sum(axis=1), 1)
