"""Frames of videos at fixed frame × resolution grids: sampled, cached, and read back."""
