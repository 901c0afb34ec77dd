"""What a training writes down, what it starts from and how it goes on, for the ``train.json`` of every bundle."""

from volfuse.training.pictures import nothing, side_by_side
from volfuse.training.record import TrainingRecord
from volfuse.training.resume import find_checkpoint, fingerprint, load_start

__all__ = ["TrainingRecord", "find_checkpoint", "fingerprint", "load_start", "nothing", "side_by_side"]
