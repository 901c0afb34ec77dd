"""CrossFuse: cross attention to what differs between the sources, with encoders trained beforehand."""

from volfuse.networks.crossfuse.autoencoder import CrossFuseAutoEncoder
from volfuse.networks.crossfuse.network import CrossFuse

__all__ = ["CrossFuse", "CrossFuseAutoEncoder"]
