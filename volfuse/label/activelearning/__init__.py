"""Which case is worth a reader's look next, and what a network learns from what readers said.

Fusion has no ground truth, so a "label" is a reader's judgement of a fused image. Nothing here promises that a
clever choice of cases beats chance: ``benchmarks/active_learning.py`` measures it.
"""
