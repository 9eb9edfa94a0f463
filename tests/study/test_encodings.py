"""Studies that choose among encodings and class weights: each configuration is trained on its own features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from support.command import run_study
from support.in_process import local_session, run_local, spec_with
from support.sharing import made_once
from support.studies import TABLE, write_table

from engine import Parameters, advance, predict, start
from engine.training_chunk import TrainingChunk
from engine.worker_data import read_data
from study.data import load, load_combined
from study.execution.workers import Workers
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import Ledger
from study.model.final_training import train_model
from study.model.model_types import TRUSTED
from study.model.opened_test import predict_test
from study.planning.plan import find_defaults, make_plan
from study.search import memory
from study.search.identity import identify
from study.search.objective import Objective, network_seed
from study.search.search_space import complete, encodings_of, fixed, largest_configurations
from study.search.session import load_all
from study.spec import parse_spec
from study.spec.encoding import STANDARD, Encoding

SPACE = 'encoding = ["standard", "ple", "quantile"]\nbins = [3, 6]\nclass_weight = ["none", "balanced"]'
ENCODED = (
    TABLE.replace("[search]", 'encoding = "ple"\nbins = 4\nclass_weight = "balanced"\n[search]')
    + "\n[final]\nnetworks = 1\ncalibrate = false\n"
)


def objective_of(text: str, folder: Path) -> Objective:
    spec = parse_spec(text, "test.toml")
    return Objective(spec, load_all(spec.data, folder, encodings_of(spec.space)), StudyFolder(folder / "study"))


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, its spec, and `home`, in which the study with one encoding has been finalized."""

    def make(folder: Path) -> None:
        write_table(folder / "table.csv")
        (folder / "table.toml").write_text(ENCODED)
        for command in (("run", folder / "table.toml", "--jobs", 1, "--no-tracking"), ("finalize", "table")):
            done = run_study(*command, "--home", folder / "home")
            assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "encoded", make)


def test_the_defaults_change_nothing() -> None:
    """The spec of an older study, whose ledger lacks the keys, is still the same study."""
    spec = parse_spec(spec_with(), "")
    written_out = parse_spec(spec_with(space='encoding = "standard"\nbins = 8\nclass_weight = "none"'), "")
    assert identify(spec) == identify(written_out)
    assert encodings_of(spec.space) == (STANDARD,)
    configuration = complete(spec.space, {"learning_rate": 0.1, "iterations": 50, "depth": 0})
    left = {name.removeprefix("space.") for name in find_defaults(spec)}
    assert not {"encoding", "bins", "class_weight"} & {*configuration, *fixed(spec.space), *left}


def test_each_encoding_has_its_own_features_and_folder(tmp_path: Path) -> None:
    objective = objective_of(spec_with(space=SPACE), tmp_path)
    assert objective.n_x == {
        STANDARD: 2, Encoding("ple", 3): 8, Encoding("ple", 6): 14, Encoding("quantile"): 2
    }  # fmt: skip
    objective.write_data()
    params = {"learning_rate": 0.1, "iterations": 50, "depth": 0, "class_weight": "balanced"}
    for encoding, n_x in objective.n_x.items():
        chosen = {"encoding": encoding.name} | ({"bins": encoding.bins} if encoding.bins else {})
        trial = objective.open(0, params | chosen)
        chunk = objective.next_chunk(trial)
        assert (trial.state.architecture.n_x, read_data(chunk.data).X.shape[0]) == (n_x, n_x)
        assert trial.state.settings.class_weight == "balanced"
        assert trial.units == objective.iteration_work(complete(objective.spec.space, params | chosen)).units
    works = [objective.iteration_work(each).units for each in largest_configurations(objective.spec.space)]
    assert len(set(works)) == 4  # of two and fourteen features, with relu and tanh


def test_max_parameters_counts_the_features_of_the_encoding(tmp_path: Path) -> None:
    objective = objective_of(spec_with(space=f"{SPACE}\nmax_parameters = 12"), tmp_path)
    params = {"learning_rate": 0.1, "iterations": 50, "depth": 0, "class_weight": "none"}
    assert objective.fits(params | {"encoding": "ple", "bins": 3})
    assert not objective.fits(params | {"encoding": "ple", "bins": 6})


def test_memory_counts_the_data_in_every_encoding(tmp_path: Path) -> None:
    folds = "folds = 3"
    one, several = (objective_of(spec_with(data=folds, space=space), tmp_path) for space in ("", SPACE))
    configuration = largest_configurations(one.spec.space)[0]
    more = memory.coordinator_memory(several, configuration) - memory.coordinator_memory(one, configuration)
    arrays = [part.X for dataset in several.datasets for each in dataset.others for part in (each.train, each.dev)]
    assert more == sum(X.nbytes for X in arrays)
    # A worker may keep two stacks of folds: that of the configuration, and the largest other one.
    most = memory.worker_memory(several, configuration) - memory.worker_memory(one, configuration)
    assert most == 2 * memory.NUMBER * several.m * 2 * several.n_x[Encoding("ple", 6)]


def test_a_task_for_a_cluster_has_chunks_of_one_encoding(tmp_path: Path) -> None:
    objective = objective_of(spec_with(space=SPACE), tmp_path)
    params = {"learning_rate": 0.1, "iterations": 50, "depth": 0, "class_weight": "none"}
    kinds = [{"encoding": "standard"}, {"encoding": "ple", "bins": 3}, {"encoding": "standard"}]
    chunks = [objective.next_chunk(objective.open(k, params | kind)) for k, kind in enumerate(kinds)]
    chunks = [replace(chunk, units=float(3 - k)) for k, chunk in enumerate(chunks)]
    submitted: list[tuple[TrainingChunk, ...]] = []

    class Recorder:
        def submit(self, task: object) -> None:
            submitted.append(task.chunks)  # type: ignore[attr-defined]

    workers = Workers(1, backend=object())  # type: ignore[arg-type]
    workers._executor = Recorder()  # type: ignore[assignment]
    workers.submit(chunks)
    assert [[chunk.trial for chunk in task] for task in submitted] == [[0, 2], [1]]


def test_the_plan_counts_features_by_encoding(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(spec_with(space=SPACE))
    plan = make_plan(tmp_path / "small.toml", jobs=1)
    assert plan.look.n_x_encoded == {"ple_3": 8, "ple_6": 14, "quantile": 2}
    assert plan.searched["bins"] == "3, 6"
    done = run_study("plan", tmp_path / "small.toml", "--jobs", 1)
    assert "2 features for the network (8 with ple_3, 14 with ple_6, 2 with" in " ".join(done.stdout.split())


def test_balanced_classes_need_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)}).to_csv(tmp_path / "t.csv", index=False)
    text = spec_with(space='class_weight = ["none", "balanced"]').replace("synthetic:planar_flower", "t.csv")
    (tmp_path / "t.toml").write_text(text.replace('metric = "accuracy"', ""))
    done = run_study("run", tmp_path / "t.toml", "--home", tmp_path / "home", "--no-tracking")
    assert done.returncode == 2
    expected = '[space] class_weight: "balanced" applies to classes, and the task is regression; remove class_weight'
    assert expected in done.stderr


def test_the_final_model_equals_training_by_hand(encoded: Path) -> None:
    (opening,) = Ledger(Home(encoded / "home").folder("table"), "table").attributes["finalized"]
    spec = parse_spec(ENCODED, "")
    dataset = load_combined(spec.data, encoded, [Encoding("ple", 4)])
    objective = Objective(spec, [load(spec.data, encoded, [Encoding("ple", 4)])], StudyFolder(encoded / "none"))
    begun = objective.open(opening["trial"], _params(encoded, opening["trial"])).state
    assert begun.seeds == (network_seed(spec.search.seed, opening["trial"]),)
    trained = advance(begun, dataset.train.X, dataset.train.Y)
    rows = pd.read_csv(encoded / "table.csv")
    X = dataset.preprocessing.transform(rows.drop(columns="kind")).T.astype(np.float32)
    vector = trained.replica(0).vector.astype(np.float64)
    A = predict(trained.architecture, Parameters(trained.architecture.layer_sizes, vector), X.astype(np.float64))
    done = run_study("predict", "table", encoded / "table.csv", "--home", encoded / "home", "-o", encoded / "p.csv")
    assert done.returncode == 0, done.stderr
    predicted = pd.read_csv(encoded / "p.csv")
    # The class weights of its training are undone with the shares of the classes in train.
    small = float(dataset.train.Y.mean())
    by_hand = small * A[0] / (small * A[0] + (1 - small) * (1 - A[0]))
    np.testing.assert_allclose(predicted["probability_small"], by_hand, rtol=1e-6)
    answers = predict_test(Home(encoded / "home"), "table")
    assert (answers.truth == answers.prediction).mean() == pytest.approx(opening["value"])


def _params(folder: Path, number: int) -> dict[str, object]:
    return dict(Ledger(Home(folder / "home").folder("table"), "table").trials()[number].params)


def test_a_model_on_train_and_dev_has_the_encoding_of_its_trial(encoded: Path) -> None:
    model = train_model(Home(encoded / "home"), "table", 1)
    combined = load_combined(parse_spec(ENCODED, "").data, encoded, [Encoding("ple", 4)])
    rows = pd.read_csv(encoded / "table.csv").drop(columns="kind")
    features = model[:-1].transform(rows)
    np.testing.assert_array_equal(features, combined.preprocessing.transform(rows))
    assert model.named_steps["network"].networks[0]["layer_sizes"][0] == combined.n_x == features.shape[1]


@pytest.mark.parametrize("name", ["ple", "quantile"])
def test_saved_encodings_contain_only_trusted_types(encoded: Path, name: str) -> None:
    pipeline = load(parse_spec(ENCODED, "").data, encoded, [Encoding.of(name, 4)]).preprocessing
    saved = skops.io.dumps(pipeline)
    assert set(skops.io.get_untrusted_types(data=saved)) <= set(TRUSTED)
    rows = pd.read_csv(encoded / "table.csv")
    loaded = skops.io.loads(saved, trusted=list(TRUSTED))
    np.testing.assert_array_equal(loaded.transform(rows), pipeline.transform(rows))


def test_confirm_trains_each_candidate_on_its_encoding(tmp_path: Path) -> None:
    """With folds, and with a confirm split, which workers read from another folder."""
    for data in ("folds = 2", "confirm = 0.2"):
        text = spec_with("trials = 6\nsampler = 'random'", data, SPACE) + "\n[confirm]\ntop = 6\nseeds = 2\n"
        (tmp_path / "small.toml").write_text(text)
        home = tmp_path / data[:4]
        done = run_study("run", tmp_path / "small.toml", "--home", home, "--jobs", 1, "--no-tracking")
        assert done.returncode == 0, done.stderr
        attributes = Ledger(Home(home).folder("small"), "small").attributes
        trials = Ledger(Home(home).folder("small"), "small").trials()
        session = local_session(text, home)
        objective = session.objective
        for candidate in attributes["confirm"]["candidates"]:
            configuration = complete(objective.spec.space, trials[candidate["trial"]].params)
            with np.load(home / f"studies/small/confirm/trial-{candidate['trial']}.npz") as file:
                assert file["parameters"].shape[1] == objective.architecture(configuration).parameters_count
        encodings = {trials[each["trial"]].params["encoding"] for each in attributes["confirm"]["candidates"]}
        assert len(encodings) > 1


def test_the_decision_boundary_is_that_of_the_encoded_network(tmp_path: Path) -> None:
    from study.ledger.results import summarize
    from study.report.winner import look_at_winner

    text = spec_with("trials = 2", space='encoding = ["standard", "ple"]') + '\nenqueue = [{encoding = "ple"}]\n'
    run_local(text, tmp_path)
    spec, folder = parse_spec(text, ""), Home(tmp_path).folder("small")
    datasets = load_all(spec.data, tmp_path, encodings_of(spec.space))
    row = summarize(Home(tmp_path), "small").trials[0]
    assert row.params["encoding"] == "ple"
    winner = look_at_winner(spec, datasets, row, folder)
    assert winner is not None
    assert winner.plane is not None
    assert winner.layer_sizes[0] == datasets[0].others[0].n_x
    # The class of a cell of the grid is that of the examples near its center.
    cells = (np.stack([winner.plane.x, winner.plane.y]).T - winner.plane.low) / (
        np.array(winner.plane.high) - winner.plane.low
    )
    rows, columns = (cells[:, 1] * 120).astype(int), (cells[:, 0] * 160).astype(int)
    predicted = np.where(winner.plane.wrong, 1 - winner.plane.group, winner.plane.group)
    assert (winner.plane.levels[rows, columns] == predicted).mean() > 0.95


def test_starts_are_the_same_with_the_standard_encoding_among_others(tmp_path: Path) -> None:
    alone, among = (objective_of(spec_with(space=space), tmp_path) for space in ("", SPACE))
    params = {"learning_rate": 0.1, "iterations": 50, "depth": 0}
    one = alone.open(0, params).state
    other = among.open(0, params | {"encoding": "standard", "class_weight": "none"}).state
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert start(one.architecture, one.settings, seeds=one.seeds).settings == other.settings
