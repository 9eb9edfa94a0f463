"""Studies from Python: `from study import Study`."""

from study.api.study import Study

__all__ = ["Study"]
