"""Pages that can only be read: one self-contained file each, one style for all."""
