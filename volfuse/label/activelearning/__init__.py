"""Which case a reader should judge next, and how a network learns from the judgements.

Fusion has no ground truth, so a "label" is a reader's judgement of a fused image. Nothing here promises that a
clever choice of cases beats chance: ``benchmarks/active_learning.py`` measures it.
"""
