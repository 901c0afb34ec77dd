"""Parts of the label server. Not a medical device: for research, not for diagnosis."""

NOTES_HEADER = "Volfuse-Notes"
"""The header of a fused image that says, as a JSON list of sentences, what a user should know about it."""
FUSION_HEADER = "Volfuse-Fusion"
"""The header of a fused image that holds its id, by which a verdict says which image was judged."""
