"""Registration of volumes before they are fused: rigid, affine, deformable, or by landmarks.

Needs the extra ``registration`` (ANTs), unless landmarks are all that is used.
"""
