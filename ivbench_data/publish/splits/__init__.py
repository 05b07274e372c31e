"""Splits by video: asked for, planned, shown."""
