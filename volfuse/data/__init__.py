"""Lists of image pairs with their splits, phantoms and focal stacks with a known answer, the demonstration pair."""

from volfuse.data.pairs import paired_datalist

__all__ = ["paired_datalist"]
