"""Find the broken questions, and prove which ones need their image: checks, probe, necessity, people, repair."""
