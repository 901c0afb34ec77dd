"""``volfuse info``: what would be read, and how two images lie on each other, before anything is fused."""
