"""Parts of the label server. Not a medical device: for research, not for diagnosis."""
