"""One video file: its bitstream, its decoding, its fingerprint, and whether it is whole."""
