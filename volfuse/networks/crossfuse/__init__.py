"""CrossFuse: cross attention on what is unlike, between encoders trained beforehand."""

from volfuse.networks.crossfuse.autoencoder import CrossFuseAutoEncoder
from volfuse.networks.crossfuse.network import CrossFuse

__all__ = ["CrossFuse", "CrossFuseAutoEncoder"]
