"""Numerical building blocks, one definition each: what rules, losses, metrics and networks share.

Nothing here knows what a fused image is: tensors in, tensors out.
"""
