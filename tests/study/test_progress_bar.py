"""The bar of a run says what its time is."""

from rich.progress import Progress

from study.cli.terminal import TimeColumn


def test_time_is_said_to_be_left_or_taken() -> None:
    now, column = [0.0], TimeColumn()
    progress = Progress(column, get_time=lambda: now[0], auto_refresh=False)
    task = progress.add_task("trials", total=4)
    assert column.render(progress.tasks[0]).plain == ""
    for completed in (1, 2):
        now[0] += 10
        progress.update(task, completed=completed)
    assert column.render(progress.tasks[0]).plain.endswith(" left")
    now[0] = 30
    progress.update(task, completed=4)
    assert column.render(progress.tasks[0]).plain == "0:00:30 in total"
