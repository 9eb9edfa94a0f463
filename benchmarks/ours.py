"""Measure where the time of `study` is spent: startup, memory of each process, and profiles of whole runs.

    python benchmarks/ours.py [--json results/ours.json]

Profiles of jobs of `jobs.py` are made with py-spy, which samples every process that is not waiting 100 times per
second.
"""

import argparse
import collections
import linecache
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from jobs import PACKAGES, draw_settings, write_spec
from machine import environment, keep
from rich.console import Console

from study.ledger.versions import installed_versions

PROFILED = ("digits", "table")
RATE = 100  # samples per second
TIMES = 5
ONE_TRIAL = """
name = "one"
[data]
source = "sklearn:iris"
[space]
learning_rate = 0.1
iterations = 100
depth = 1
units = 8
activation = "relu"
[search]
trials = 1
"""
# The work of a worker, by the file of the innermost frame that is listed here.
PARTS = {
    "activations.py": "activations and costs",
    "outputs.py": "activations and costs",
    "optimizers.py": "updates",
    "batches.py": "mini-batches",
    "metrics.py": "evaluation on dev",
    "prediction.py": "evaluation on dev",
}
# Waiting threads sometimes look busy to py-spy.
WAITS = re.compile(
    r"^(_beat|_end_with|Condition\.wait|_PollLikeSelector\.select|Connection\._recv|\w*Queue\.get|(\w+\.)?_listen) \("
)
PRODUCT = re.compile(r"np\.matmul\(|compute_dA\(|np\.einsum\(| @ ")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    console = Console()
    found: dict[str, Any] = {"one_trial": {"new home": one_trial(fresh=True), "existing home": one_trial(fresh=False)}}
    console.print(found["one_trial"])
    settings = draw_settings()
    found |= {"memory": {}, "profile": {}}
    for data in PROFILED:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_spec(data, settings, folder)
            found["memory"][data] = memory_of_processes(folder)
            found["profile"][data] = profile(folder)
        console.print(data, found["memory"][data], found["profile"][data])
    if chosen.json:
        keep(chosen.json, installed_versions(PACKAGES), found)


def command(folder: Path, home: str) -> list[str]:
    """Return the command that runs the spec in a folder."""
    return [
        sys.executable,
        "-m",
        "study.cli.main",
        "run",
        str(folder / "spec.toml"),
        "--home",
        str(folder / home),
        "--jobs",
        "2",
    ]


def one_trial(*, fresh: bool) -> dict[str, float]:
    """Return the median seconds until a study with one trial prints its table, and until it ends.

    In a fresh home, this includes creating MLflow's schema without a cache.
    """
    seconds: dict[str, list[float]] = {"table": [], "end": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(TIMES + 1):
            (folder / "spec.toml").write_text(ONE_TRIAL.replace('"one"', f'"one_{number}"'))
            cache = {"XDG_CACHE_HOME": str(folder / f"cache_{number}")} if fresh else {}
            home = f"home_{number}" if fresh else "home"
            began = time.perf_counter()
            with subprocess.Popen(command(folder, home), env=environment() | cache, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                while b"log J" not in process.stdout.readline():
                    if process.poll() is not None:
                        raise SystemExit("a study of one trial printed no table")
                seconds["table"].append(time.perf_counter() - began)
                process.stdout.read()
            if process.wait():
                raise SystemExit(f"a study of one trial ended with {process.returncode}")
            seconds["end"].append(time.perf_counter() - began)
    return {until: statistics.median(found[1:]) for until, found in seconds.items()}


def memory_of_processes(folder: Path) -> dict[str, float]:
    """Return the peak memory of each kind of process in bytes, with a proportional share of shared memory."""
    most: dict[str, float] = collections.defaultdict(float)
    with subprocess.Popen(command(folder, "memory"), env=environment(), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for each in _processes(process.pid):
                try:
                    kind = kind_of(" ".join(each.cmdline()))
                    most[kind] = max(most[kind], each.memory_full_info().pss)
                except psutil.Error:  # the process has just ended
                    continue
            time.sleep(0.3)
    return dict(most)


def _processes(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def kind_of(words: str) -> str:
    """Return the kind of process of a command line."""
    for mark, kind in (
        ("LokyProcess", "worker"),
        ("study.tracking.exporter_process", "writing to MLflow"),
        ("resource_tracker", "helpers of joblib and Python"),
    ):
        if mark in words:
            return kind
    return "coordinator"


def profile(folder: Path) -> dict[str, dict[str, float]]:
    """Return the CPU seconds of each part of the work of each kind of process."""
    raw = folder / "profile.raw"
    spy = ["py-spy", "record", "--subprocesses", "--rate", str(RATE), "--format", "raw", "--output", str(raw), "--"]
    subprocess.run([*spy, *command(folder, "profile")], env=environment(), check=True, capture_output=True)
    seconds: dict[str, dict[str, float]] = collections.defaultdict(lambda: collections.defaultdict(float))
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if WAITS.match(frames[-1]):
            continue
        kind = kind_of(next((frame for frame in reversed(frames) if frame.startswith("process ")), ""))
        seconds[kind][part_of(kind, frames)] += int(count) / RATE
    return {kind: dict(parts) for kind, parts in seconds.items()}


def part_of(kind: str, frames: Sequence[str]) -> str:
    """Return the part of the work to which a stack belongs; frames are "function (file:line)", the innermost last."""
    text = " ".join(frames)
    if "_run_chunk (engine/training_chunk.py" in text:
        return _part_of_training(frames)
    if "make_store" in text:
        return "MLflow's tables"
    if "<module>" in frames[-1] or "importlib" in text:
        return "imports"
    if kind == "coordinator":
        for mark, part in (
            ("importance.py", "importance"),
            ("study/search/", "ask, tell, checkpoint"),
            ("study/data/", "data"),
        ):
            if mark in text:
                return part
    if "study/tracking/" in text and kind != "coordinator":
        return "runs"
    return "other"


def _part_of_training(frames: Sequence[str]) -> str:
    for frame in reversed(frames):
        match = re.search(r"\(((?:engine|study)/[\w/]+\.py):(\d+)\)", frame)
        if match is None:
            continue
        if PRODUCT.search(linecache.getline(str(ROOT / match[1]), int(match[2]))):
            return "matrix products"
        if Path(match[1]).name in PARTS:
            return PARTS[Path(match[1]).name]
        if match[1] == "engine/propagation.py":
            return "activations and costs"
        return "the rest of training"
    return "the rest of training"


ROOT = Path(__file__).resolve().parent.parent


if __name__ == "__main__":
    main()
