"""How images are fused: what a user may choose, the steps around a network, and the one pipeline of them all."""
