"""The thin reference evaluator: prompts, answer parsing, models, results, scores, tables and figures."""
