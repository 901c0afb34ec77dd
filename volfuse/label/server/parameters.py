"""What clients may send: names from a fixed alphabet, numbers within bounds, nothing else.

A field that is not listed is refused, so nothing can reach a file name, a configuration or another process unseen.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from volfuse.fusion.options import Option, listed
from volfuse.label.activelearning.finetuning import FineTuning
from volfuse.label.cases import NAME

Name = Annotated[str, Field(pattern=rf"^{NAME}$", max_length=100)]
"""The name of a case, a model, a strategy or a tag."""
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

    result_extension: Literal[".nii.gz", ".nrrd", ".mha"] = ".nii.gz"


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


class SampleParameters(Parameters):
    """Nothing but what stock clients send."""


class BatchParameters(Parameters):
    """Nothing but what stock clients send."""


class ScoringParameters(Parameters):
    """Which models are scored; three quick ones by default."""

    models: list[Name] | None = Field(default=None, min_length=1, max_length=10)


class TrainParameters(Parameters):
    """See ``volfuse.label.activelearning.finetuning.FineTuning``, and who asks for the training."""

    steps: int = Field(default=FineTuning.steps, ge=1, le=10_000)
    batch_size: int = Field(default=FineTuning.batch_size, ge=1, le=16)
    crop_size: int = Field(default=FineTuning.crop_size, ge=32, le=512)
    learning_rate: float = Field(default=FineTuning.learning_rate, gt=0, le=0.01)
    preference_weight: float = Field(default=FineTuning.preference_weight, ge=0, le=10)
    seed: int = Field(default=FineTuning.seed, ge=0, lt=2**31)
    reader: ReaderName = ""


class VerdictParameters(Parameters):
    """See ``volfuse.label.verdicts.Verdict``."""

    verdict: Literal["accept", "reject", "prefer"]
    model: Name
    preferred_model: Name | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    comment: Words = ""
    reader: ReaderName = ""

    @model_validator(mode="after")
    def preference_has_a_model(self) -> "VerdictParameters":
        """A preferred model belongs to the verdict ``prefer``, and only to it."""
        if (self.verdict == "prefer") != (self.preferred_model is not None):
            raise ValueError("preferred_model belongs to the verdict 'prefer', and only to it")
        return self
