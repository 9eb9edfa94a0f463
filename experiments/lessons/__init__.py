"""The lessons of the course as experiments. `python -m experiments.lessons [NAME …]` runs some, `make lessons` all.

A lesson is a module with `run(home)`, which returns its outcome as plain numbers and lists (stored as JSON in
docs/lessons), and `draw(outcome)`, which returns its plot as SVG. `page` writes docs/lessons.md from all outcomes.
"""
