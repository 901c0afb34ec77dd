"""Weights that the authors of a published network trained, as a bundle in the user's folder.

``checkpoint`` reads their files, ``places`` puts tensors where our network has them, ``crossfuse`` and
``fusionmamba`` say under which names and options, ``bundle`` writes the bundle.
"""
