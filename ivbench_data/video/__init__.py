"""One video file: bitstream, decoding, fingerprint, verification."""
