"""The complete spec of one study."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from study.spec.data import DataSpec
from study.spec.search import BaselinesSpec, ConfirmSpec, FinalSpec, SearchSpec
from study.spec.space import SpaceSpec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Spec(BaseModel):
    """The declaration of one study: its data, search space and budget."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        description="Name of the study, also used for its folder and its MLflow experiment. Letters, digits, - and _.",
        json_schema_extra={"pattern": f"^{NAME.pattern}$"},
    )
    description: str = Field("", description="One line that describes the purpose of the study.")
    data: DataSpec
    space: SpaceSpec
    search: SearchSpec = SearchSpec.model_construct()
    confirm: ConfirmSpec | None = None
    final: FinalSpec = FinalSpec.model_construct()
    baselines: BaselinesSpec = BaselinesSpec.model_construct()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"name must be 1 to 100 letters, digits, - or _, starting with a letter or digit, got {name!r}"
            )
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.data.folds and self.search.seeds > 1:
            raise ValueError(
                f"[data] folds and [search] seeds above 1 are mutually exclusive, got folds = {self.data.folds} and "
                f"seeds = {self.search.seeds}"
            )
        return self
