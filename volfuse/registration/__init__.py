"""Registration of volumes before they are fused: rigid, affine, deformable, or by landmarks.

Needs the extra ``registration`` (ANTs), but for landmarks alone.
"""
