"""Names, labels and descriptions that would act in Markdown, HTML, SVG, a terminal or a spreadsheet are only shown."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import markdown
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.command import run_study
from support.in_process import spec_with
from support.report_studies import run_for_report

from study.charts.chart import Axis, Chart
from study.charts.scales import Choices, Numbers
from study.charts.svg import draw_chart
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize
from study.report.facts import gather
from study.report.page import as_html, as_markdown
from study.text.console import make_console
from study.text.markdown import block, inline, link
from study.text.printable import printable
from study.text.safe_csv import guard_formulas
from study.tracking.study_run import describe

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[go](javascript:alert(1))",
    "![go](javascript:alert(1))",
    "<javascript:alert(1)>",
    "`</code><script>alert(1)</script>`",
    "a|b|c",
    "\\<b>\\[x](javascript:y)",
    "&lt;b&gt;&#60;i&#62;",
    "[x]: javascript:alert(1)",
    "# head",
    "> quote",
    "- item",
    "1. item",
    "---",
    "~~~",
    "```",
    "*bold* __bold__ ~~gone~~",
    "\x1b[31mred\x1b[0m\x07",
    "\u202etxt.exe",
]
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
RENDERERS = {
    "commonmark": MarkdownIt("commonmark").render,
    "tables": MarkdownIt("js-default", {"html": True}).render,
    "python-markdown": lambda text: markdown.markdown(text, extensions=["tables", "fenced_code"]),
}


class Rendered(HTMLParser):
    """How often each element is in a page, its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A study whose columns, labels, categories, description and file have hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(200, 2)), columns=[HOSTILE[0], HOSTILE[5]])
    table[HOSTILE[1]] = [HOSTILE[6 + k % 3] for k in range(200)]
    labels = np.array([HOSTILE[1], HOSTILE[4], HOSTILE[0]])
    table[HOSTILE[2]] = labels[np.digitize(table.iloc[:, 0], [-0.4, 0.4])]
    table.to_csv(folder / "<b>[x](javascript:y) `#.csv", index=False)
    text = spec_with("trials = 4", f"source = '<b>[x](javascript:y) `#.csv'\ntarget = '{HOSTILE[2]}'")
    home = run_for_report(text, folder, description=" ".join(HOSTILE))
    assert gather(home, "small").problem is None
    return home


def check_inert(text: str, allowed: set[str]) -> None:
    """Check that every renderer makes only elements of the report's own, and that no attribute acts."""
    for name, render in RENDERERS.items():
        page = Rendered(render(text))
        assert set(page.elements) <= allowed, (name, set(page.elements) - allowed)
        for attribute, value in page.attributes:
            assert attribute in ("style", "href"), (name, attribute)
            assert attribute != "href" or str(value).startswith(("#/", "http")), (name, value)


LAYOUT = {"h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}


def test_the_report_as_markdown_is_inert(hostile: Home) -> None:
    text = as_markdown(gather(hostile, "small"))
    check_inert(text, LAYOUT)
    assert not ACTING.search(text)
    page = Rendered(RENDERERS["tables"](text))
    for each in (HOSTILE[0], HOSTILE[1], HOSTILE[4], "<b>[x](javascript:y) `#.csv"):
        assert each in page.text


def test_the_description_in_mlflow_is_inert(hostile: Home) -> None:
    attributes = Ledger(hostile.folder("small"), "small").attributes
    summary = summarize(hostile, "small")
    check_inert(describe(summary, attributes, "1"), LAYOUT - {"h1", "h2", "pre"} | {"a"})
    for each in HOSTILE:
        check_inert(
            describe(summary, attributes | {"description": each}, "1"), LAYOUT - {"h1", "h2", "pre", "ul", "li"}
        )


def test_the_page_has_no_element_of_the_data(hostile: Home) -> None:
    text = as_html(gather(hostile, "small"))
    page = Rendered(text)
    assert not {"img", "b", "i"} & set(page.elements)
    assert page.elements["script"] == 2
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(str(value).startswith(("#", "data:,")) for name, value in page.attributes if name in ("href", "src"))
    assert not ACTING.search(text)


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1))
def test_inline_text_is_shown_as_it_is(text: str) -> None:
    html = RENDERERS["commonmark"](f"so {inline(text)} it is")
    page = Rendered(html)
    assert set(page.elements) == {"p"}
    assert page.text.strip() == f"so {printable(text)} it is"


@given(st.lists(st.sampled_from([*HOSTILE, "\n", " ", "\n\n    ", "x"]), min_size=1, max_size=4).map("".join))
def test_inline_text_is_one_paragraph_wherever_it_stands(text: str) -> None:
    line = inline(text)
    assert "\n" not in line
    for render in RENDERERS.values():
        assert set(Rendered(render(line.strip())).elements) <= {"p"}
        cell = Rendered(render(f"| a | b |\n| --- | --- |\n| {line} | 1 |\n"))
        assert set(cell.elements) <= {"p", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JavaScript:x", "java\nscript:x", "data:text/html,x", "vbscript:x"]
)
def test_links_lead_to_pages_alone(address: str) -> None:
    assert link("go", address) == "go"
    assert link("[go]", "#/a b)(") == "[\\[go\\]](#/a%20b%29%28)"
    assert link("go", "https://host/x?y=1") == "[go](https://host/x?y=1)"


def test_a_block_of_code_stays_one() -> None:
    code = block("a = 1\n\n</code><b>\n```")
    page = Rendered(RENDERERS["commonmark"](f"so\n\n{code}\n"))
    assert set(page.elements) == {"p", "pre", "code"}


def test_pictures_are_whole_with_any_names() -> None:
    names = Choices(tuple(HOSTILE))
    chart = Chart(
        key="k", label='"/><script>\x00', x=Axis.of(HOSTILE[0], Numbers(0.0, 1.0)), y=Axis.of("\x1b", names), marks=()
    )
    root = ElementTree.fromstring(draw_chart(chart))  # noqa: S314 - our own
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        "svg",
        "style",
        "rect",
        "g",
        "path",
        "text",
        "tspan",
    }
    assert HOSTILE[0] in "".join(root.itertext())


def test_a_terminal_is_sent_no_control_characters(
    hostile: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        ("show", "small"),
        ("list",),
        ("show", "\x1b[2Jsmall"),
        ("report", "small", "-o", tmp_path / "\x1b[2J"),
    ):
        done = run_study(*command, "--home", hostile.path)
        assert not ACTING.search(done.stdout + done.stderr)
    assert "\\x1b[31mred" in run_study("list", "--home", hostile.path, env={"COLUMNS": "2000"}).stdout
    make_console().print("\x1b[2J", style="bold")
    assert capsys.readouterr().out == "\\x1b[2J\n"


def test_consoles_are_made_in_one_place() -> None:
    sources = Path(__file__).parents[2].joinpath("study").rglob("*.py")
    makers = [path.name for path in sources if re.search(r"(?<!\w)Console\((?!width=1000)", path.read_text())]
    assert makers == ["console.py"]


@pytest.mark.parametrize(
    ("cell", "guarded"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|x", "'+cmd|x"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-1.5e3", "-1.5e3"),
        (-1.5, -1.5),
        ("a=b", "a=b"),
        ("", ""),
        (None, None),
    ],
)
def test_formulas_are_guarded_and_numbers_stay(cell: Any, guarded: Any) -> None:
    made = guard_formulas(pd.DataFrame({"=a": pd.Series([cell], dtype=object), "b": [0.5]}))
    assert made.columns.tolist() == ["'=a", "b"]
    assert made.iloc[0].tolist() == [guarded, 0.5]


def test_predictions_are_guarded_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = np.array([-0.5, 0.1, 1.0], dtype=np.float32)
    made = pd.DataFrame({"prediction": ["=1+1", "-1", "yes"], "probability_=1+1": figures})
    monkeypatch.setattr("study.model.predict.predict_file", lambda *_: (made, ()))
    command = ("predict", "small", "a.csv", "--home", tmp_path)
    plain = "prediction,probability_=1+1\n=1+1,-0.5\n-1,0.1\nyes,1.0\n"
    assert run_study(*command).stdout == plain
    guarded = plain.replace("\n=1+1", "\n'=1+1")
    assert run_study(*command, "--safe-csv").stdout == guarded
    assert run_study(*command, "--safe-csv", "-o", tmp_path / "b.csv").returncode == 0
    assert (tmp_path / "b.csv").read_text() == guarded
    refused = run_study(*command, "--safe-csv", "-o", tmp_path / "b.parquet")
    assert (refused.returncode, "--safe-csv applies only to CSV" in refused.stderr) == (2, True)
