"""A benchmark as others get it: splits by video, hidden answers, a folder that `datasets` loads, and its versions."""
