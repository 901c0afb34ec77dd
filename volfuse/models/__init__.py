"""What one can fuse with: trained networks in MONAI bundles and classical rules, behind one interface.

Names and descriptions are read from files, so a command line or a viewer lists models without importing torch;
torch and MONAI load with the first network.
"""

from volfuse.models.bundle import Bundle, bundles
from volfuse.models.catalogue import DEFAULT_MODEL, Model, catalogue, find, takes
from volfuse.models.network import ExplainableNetwork, FusionNetwork
from volfuse.models.rule import Rule, rules

__all__ = [
    "DEFAULT_MODEL",
    "Bundle",
    "ExplainableNetwork",
    "FusionNetwork",
    "Model",
    "Rule",
    "bundles",
    "catalogue",
    "find",
    "rules",
    "takes",
]
