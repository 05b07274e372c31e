"""Rules about questions: the order and letters of options, what belongs together, buckets of durations."""
