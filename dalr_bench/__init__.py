"""dalr-bench: a suite of an ablation in, the table of a paper out. These names are all a plugin needs."""

from dalr_bench.errors import DataError, Fault, PluginError, SuiteError, TrainingError, UserError
from dalr_bench.imports import repair_torchvision
from dalr_bench.plugin.spec import hookimpl
from dalr_bench.protocols import OpenRun, OpenSpace, PictureSubject, Queue, Report, SpaceProvider, Subject, TrainedRun
from dalr_bench.types import (
    MODEL_FILES,
    Batch,
    Corpus,
    DataPath,
    Dims,
    Encoding,
    Ending,
    Evaluation,
    JointSpace,
    LossInputs,
    LossOutput,
    Part,
    Predictions,
    Requirement,
    Score,
    SpaceName,
    Task,
    TeacherImage,
    TeacherName,
    TeacherRows,
    TeacherStates,
    TeacherText,
    TokenBatch,
    VariantName,
)

# The one place every process passes: command line, workers, tests and plugins all import this package first.
repair_torchvision()

__version__ = "0.1.0"
__all__ = [
    "MODEL_FILES",
    "Batch",
    "Corpus",
    "DataError",
    "DataPath",
    "Dims",
    "Encoding",
    "Ending",
    "Evaluation",
    "Fault",
    "JointSpace",
    "LossInputs",
    "LossOutput",
    "OpenRun",
    "OpenSpace",
    "Part",
    "PictureSubject",
    "PluginError",
    "Predictions",
    "Queue",
    "Report",
    "Requirement",
    "Score",
    "SpaceName",
    "SpaceProvider",
    "Subject",
    "SuiteError",
    "Task",
    "TeacherImage",
    "TeacherName",
    "TeacherRows",
    "TeacherStates",
    "TeacherText",
    "TokenBatch",
    "TrainedRun",
    "TrainingError",
    "UserError",
    "VariantName",
    "__version__",
    "hookimpl",
]
