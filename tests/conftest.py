"""How hypothesis draws in all tests: the same cases each time, and no clock that a busy machine could fail."""

from hypothesis import settings

settings.register_profile("study", deadline=None, derandomize=True)
settings.load_profile("study")
