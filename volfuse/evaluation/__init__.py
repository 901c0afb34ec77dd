"""Looking at and measuring fused images."""
