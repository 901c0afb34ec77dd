"""Fusion in a process of its own: progress, cancel at any moment, nothing left behind.

The client side imports neither torch nor MONAI, and may run in another Python than its worker.
"""

from volfuse.jobs.client import FusionWorker
from volfuse.jobs.limits import Limits
from volfuse.jobs.messages import FusionRequest, JobEvent

__all__ = ["FusionRequest", "FusionWorker", "JobEvent", "Limits"]
