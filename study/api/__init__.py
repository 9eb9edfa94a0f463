"""Studies from Python: `from study import Study, Float, Int`."""

from study.api.ranges import Float, Int
from study.api.study import Study

__all__ = ["Float", "Int", "Study"]
