"""What clients may send: names from a fixed alphabet, numbers within bounds, nothing else.

A field that is not listed is refused, so nothing can reach a file name, a configuration or another process unseen.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from volfuse.fusion.options import Option, listed
from volfuse.label.activelearning.finetuning import FineTuning
from volfuse.label.cases import NAME
from volfuse.label.verdicts import WITHOUT_MODEL, Decision

Name = Annotated[str, Field(pattern=rf"^{NAME}$", max_length=100)]
"""The name of a case, a model, a strategy or a tag."""
ResultSuffix = Literal[".nii.gz", ".nrrd", ".mha"]
Words = Annotated[str, Field(max_length=2000)]
ReaderName = Annotated[str, Field(max_length=100)]
SOURCES = 2
"""How many scans a case has, and a session."""

_STOCK_FIELDS = {
    "client_id",
    "device",
    "gpus",
    "label",
    "label_tag",
    "local_rank",
    "logging",
    "max_batch_size",
    "max_workers",
    "model_filename",
    "multi_gpu",
    "result_compress",
    "result_dtype",
    "restore_label_idx",
    "save_label",
}
"""What MONAI Label's own clients send along. It means nothing here and goes no further."""


class Parameters(BaseModel):
    """Fields with types and bounds; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def drop_stock_fields(cls, values: Any) -> Any:
        """Leave out what stock clients send."""
        if not isinstance(values, dict):
            return values
        return {
            key: value for key, value in values.items() if key not in _STOCK_FIELDS - set(cls.model_fields)
        }


class ResultParameters(Parameters):
    """How a fused image is sent."""

    result_extension: ResultSuffix = ".nii.gz"


def _schema(option: Option) -> tuple[Any, Any]:
    """Return type and default of an option: what strangers may send of it."""
    if option.per_source:
        text = Annotated[str, Field(pattern=f"^{option.per_source.text}$")]
        entry = text | None if option.per_source.is_valid(None) else text
        entries: Any = list[entry]  # type: ignore[valid-type] # a type that is made at run time
        return entries, Field(list(option.default), max_length=SOURCES, description=option.words)
    least, greatest = option.bounds or (None, None)
    return option.kind, Field(option.default, ge=least, le=greatest, description=option.words)


_OPTIONS: dict[str, Any] = {each.name: _schema(each) for each in listed("server")}
InferParameters: type[ResultParameters] = create_model(
    "InferParameters",
    __base__=ResultParameters,
    __doc__="How an image is fused and sent.",
    **_OPTIONS,
)


class ReaderParameters(Parameters):
    """Who asks: the name of a reader, or what stock clients call themselves."""

    reader: ReaderName = ""
    client_id: ReaderName | None = None


class SampleParameters(ReaderParameters):
    """Who asks for a case, and how many readers shall judge each."""

    readings: int = Field(default=1, ge=1, le=100)


class BatchParameters(Parameters):
    """Nothing but what stock clients send."""


class ScoringParameters(Parameters):
    """Which models are scored; three quick ones by default."""

    models: list[Name] | None = Field(default=None, min_length=1, max_length=10)


class TrainParameters(ReaderParameters):
    """See ``volfuse.label.activelearning.finetuning.FineTuning``, and who asks for the training."""

    steps: int = Field(default=FineTuning.steps, ge=1, le=10_000)
    batch_size: int = Field(default=FineTuning.batch_size, ge=1, le=16)
    crop_size: int = Field(default=FineTuning.crop_size, ge=32, le=512)
    learning_rate: float = Field(default=FineTuning.learning_rate, gt=0, le=0.01)
    preference_weight: float = Field(default=FineTuning.preference_weight, ge=0, le=10)
    seed: int = Field(default=FineTuning.seed, ge=0, lt=2**31)


class VerdictParameters(ReaderParameters):
    """See ``volfuse.label.verdicts.Verdict``; ``fusion`` is the id of the image that was chosen."""

    verdict: Decision
    fusion: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    model: Name | Literal[""] = ""
    preferred_model: Name | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    reason: Words = ""
    comment: Words = ""

    @model_validator(mode="after")
    def preference_has_a_model(self) -> "VerdictParameters":
        """A preferred model belongs to the verdict ``prefer``, and only to it."""
        if (self.verdict == "prefer") != (self.preferred_model is not None):
            raise ValueError("preferred_model belongs to the verdict 'prefer', and only to it")
        return self

    @model_validator(mode="after")
    def case_has_a_model_or_a_reason(self) -> "VerdictParameters":
        """Who judges an image says whose it is; who does not judge a case says why."""
        if self.verdict in WITHOUT_MODEL:
            if not self.reason:
                raise ValueError(f"the verdict '{self.verdict}' needs a reason")
            if self.rating is not None:
                raise ValueError(f"a rating does not belong to the verdict '{self.verdict}'")
        elif not self.model:
            raise ValueError(f"the verdict '{self.verdict}' needs a model")
        elif self.reason:
            raise ValueError("a reason belongs to the verdicts 'skip' and 'cannot_judge'; write a comment")
        return self
