"""Lists of image pairs with their splits, phantoms with a known answer, and the demonstration pair."""

from volfuse.data.pairs import paired_datalist

__all__ = ["paired_datalist"]
