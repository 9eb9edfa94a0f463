"""Every mistake in a spec is one line with file, key, value and remedy."""

from pathlib import Path

import pytest

from study.errors import UserError
from study.spec import Range, parse_spec, read_spec

GOOD = Path("experiments/digits.toml").read_text(encoding="utf-8")

MISTAKES = [
    ("learning_rate =", "learning_rte =", "[space] learning_rte: unknown key; did you mean 'learning_rate'?"),
    ("learning_rate =", "#", "[space] learning_rate: missing; add it"),
    ("low = 1e-3", "low = 3", "[space] learning_rate: low must not be above high, got low = 3 and high = 1"),
    ("low = 1e-3", "low = -3", "[space] learning_rate: low must be above 0 with log = true, got -3"),
    ("low = 1e-3", "lo = 3", "[space] learning_rate lo: unknown key; did you mean 'low'?"),
    ('"relu"', '"rleu"', "unknown activation 'rleu'; did you mean 'relu'?"),
    ('"tpe"', '"tpee"', "[search] sampler: unknown value 'tpee'; did you mean 'tpe'?"),
    ("trials = 60", 'trials = "many"', "[search] trials: must be a whole number, got 'many'"),
    ("trials = 60", "trials = 0", "[search] trials: must be at least 1, got 0"),
    ("trials = 60", "trials = 1.5", "[search] trials: must be a whole number, got 1.5"),
    ("[space]", "[spce]", "spce: unknown key; did you mean 'space'?"),
    ('name = "digits"', 'name = "di/gits"', "name: must be 1 to 100 letters"),
    ('name = "digits"', "", "name: missing; add it"),
    ('"sklearn:digits"', '"sklearn:digit"', "did you mean 'digits'?"),
    ("[0.6, 0.2, 0.2]", "[0.6, 0.2, 0.3]", "must sum to 1"),
    ('"accuracy"', '"acuracy"', "did you mean 'accuracy'?"),
    ('["relu", "leaky_relu", "tanh", "sigmoid"]', "[]", "must have at least one choice"),
    ('["relu", "leaky_relu", "tanh", "sigmoid"]', '["relu", "relu"]', "must not repeat a choice"),
    ("{ low = 0, high = 3 }", "{ low = 0, high = 3.5 }", "[space] depth: must be a range of whole numbers, got 3.5"),
    ("{ low = 0, high = 3 }", '"x"', "[space] depth: must be a whole number, got 'x'"),
    ("{ low = 0, high = 3 }", "-1", "[space] depth: must be from 0 to 50, got -1"),
    ("{ low = 0, high = 3 }", "1e308", "[space] depth: must be from 0 to 50, got 1e+308"),
    ("low = 100, high = 1000, step = 100", "low = 1, high = 1e18", "iterations: must be from 1 to 1,000,000,000"),
    ("low = 8, high = 128, log = true", "low = 8, high = 1e12", "[space] units: must be from 1 to 100,000, got 1e+12"),
    ("low = 1e-3, high = 1.0, log = true", "low = 0.1, high = 1, step = 1e-300", "more than 1,000,000 values"),
    ("seeds = 10", "seeds = 1000000", "[confirm] seeds: must be at most 1000, got 1000000"),
    ("[confirm]", "[[confirm]]", "[confirm]: must be a table"),
    ("top = 5", "top = 0", "[confirm] top: must be at least 1, got 0"),
    ("[space]", "[space", "is not valid TOML"),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a." * 20_000 + "a = 1", "the key 'a.a.a.a.a.a.a.a.a.a.'… has more than 16 parts"),
        ("[" + "a." * 20_000 + "a]", "has more than 16 parts"),
        ("x = { " + "a . " * 20_000 + "a = 1 }", "has more than 16 parts"),
        ('"a".' * 20_000 + "a = 1", "has more than 16 parts"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "more than 16 levels deep"),
        ("x = " + "{a=" * 5_000 + "1" + "}" * 5_000, "more than 16 levels deep"),
        ("x = -" + "9" * 5_000, "99999999999999999999… has more than 40 digits"),
        ("x = 0x" + "f" * 5_000, "has more than 40 digits"),
        ("x = 1" * 300_000, "is larger than 1 MiB"),
        ('"""' * 300_000, "is not valid TOML"),
        ("a" + " " * 1_000_000, "is not valid TOML"),
    ],
)
def test_text_that_would_cost_time_or_memory_is_refused_before_it_is_parsed(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_spec(text, "spec.toml")
    assert str(caught.value).startswith("spec.toml")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_texts_and_comments_may_have_what_keys_and_numbers_may_not() -> None:
    free = "a.b." * 20 + "[" * 20 + "9" * 50
    text = GOOD.replace('description = "', f"# it's {free}\ndescription = \"{free} ")
    assert free in parse_spec(text, "spec.toml").description


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES)
def test_a_mistake_is_named_with_its_place_value_and_remedy(old: str, new: str, words: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(UserError) as caught:
        parse_spec(text, "digits.toml")
    message = str(caught.value)
    assert message.startswith("digits.toml")
    assert words in message
    assert message.count("\n") <= 1


def test_the_shipped_spec_is_read() -> None:
    spec = read_spec(Path("experiments/digits.toml"))
    assert spec.name == "digits"
    assert spec.search.trials == 60
    assert spec.space.learning_rate == Range(low=1e-3, high=1.0, log=True)
    assert spec.space.batch_size == ("full",)


def test_single_values_are_fixed_and_lists_are_choices() -> None:
    text = GOOD.replace("{ low = 0, high = 3 }", "2").replace("{ low = 100, high = 1000, step = 100 }", "[100, 300]")
    spec = parse_spec(text, "digits.toml")
    assert spec.space.depth == (2,)
    assert spec.space.iterations == (100, 300)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("there.toml", None, "no such file"),
        ("folder.toml", "folder", "is a folder"),
        ("latin.toml", b"name = '\xe9'", "is not UTF-8 text (byte 8)"),
        ("large.toml", b"#" * ((1 << 20) + 1), "is larger than 1 MiB"),
        ("empty.toml", b"", "name: missing; add it"),
    ],
)
def test_a_file_that_cannot_be_read_is_answered(tmp_path: Path, name: str, content: object, words: str) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}") as caught:
        read_spec(path)
    assert words in str(caught.value)


def test_a_misspelt_file_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "digits.toml").write_text(GOOD)
    with pytest.raises(UserError, match=r"did you mean .*digits\.toml\?"):
        read_spec(tmp_path / "digit.toml")


def search(*lines: str) -> str:
    bare = GOOD.replace('sampler = "tpe"', "").replace('pruner = "median"', "")
    return bare.replace('metric = "accuracy"', "\n".join(lines))


def test_several_metrics_have_their_own_defaults() -> None:
    spec = parse_spec(search('metric = ["accuracy", "parameters"]'), "digits.toml")
    assert (spec.search.sampler, spec.search.pruner) == ("nsga2", "none")
    assert spec.search.several


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['metric = ["accuracy", "parameters"]', 'pruner = "median"'], 'pruner must be "none"'),
        (
            ['metric = ["accuracy", "parameters"]', 'sampler = "qmc"'],
            "with several metrics, sampler must be nsga2, tpe, random or grid",
        ),
        (['metric = ["accuracy", "acuracy"]'], "did you mean 'accuracy'?"),
        (['metric = ["parameters", "accuracy"]'], "unknown metric 'parameters'"),
        (['metric = ["accuracy", "parameters"]', "stop_after = 3"], "stop_after cannot be combined with several"),
        (['pruner = "threshold"'], "requires a value for threshold"),
        (['pruner = "medan"'], "did you mean 'median'?"),
        (["seeds = 0"], "seeds: must be at least 1, got 0"),
        (["worker_memory = 100"], "worker_memory: must be at least 256, got 100"),
        (["warmup = 1.0"], "warmup: must be below 1, got 1.0"),
    ],
)
def test_search_options_that_do_not_go_together_are_answered(lines: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_spec(search(*lines), "digits.toml")
    assert words in str(caught.value)


def test_folds_and_seeds_do_not_go_together() -> None:
    text = search("seeds = 3").replace("[data]", "[data]\nfolds = 3")
    with pytest.raises(UserError, match=r"\[data\] folds and \[search\] seeds above 1 are mutually exclusive"):
        parse_spec(text, "digits.toml")
