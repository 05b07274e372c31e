"""Recorded replies in inspect_ai, run in its own environment.

As a module it is what an entry point names: a model `constant` that always says A, and fetches no vocabulary to count
tokens with, as the mock model does. As a script, `SPEC.json OUT.json`, it gives recorded replies by the mock model.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from inspect_ai import eval as run_tasks
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, get_model, modelapi


def say(text: str) -> ModelOutput:
    """What a model outputs, its tokens counted already."""
    output = ModelOutput.from_content("mockllm", text)
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return output


@modelapi(name="constant")
class Constant(ModelAPI):
    """A model that always says A."""

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        """The letter."""
        return say("A")


def main(spec: Path, out: Path) -> None:
    """Evaluate what the spec lists."""
    told = []
    for run in json.loads(spec.read_text()):
        os.chdir(run.get("folder", "."))  # inspect_ai looks for task files below where it stands
        model = get_model("mockllm/model", custom_outputs=[say(reply) for reply in run["replies"]], memoize=False)
        (log,) = run_tasks(
            run["task"], task_args=run["task_args"], model=model, limit=run.get("limit"), max_samples=1,
            display="none", log_dir=str(out.parent / "logs"),
        )  # fmt: skip
        assert log.status == "success", log.error
        (score,) = log.results.scores
        told.append(
            {
                "figures": {metric.name: metric.value for metric in score.metrics.values()},
                "scored": score.scored_samples,
                "unscored": score.unscored_samples,
                "samples": [describe(sample) for sample in log.samples],
            }
        )
    out.write_text(json.dumps(told, allow_nan=False))


def describe(sample: Any) -> dict[str, Any]:
    """What was shown, and what came of it."""
    content = [] if isinstance(sample.input, str) else sample.input[0].content
    (score,) = sample.scores.values()
    is_scored = not (isinstance(score.value, float) and math.isnan(score.value))
    return {
        "id": sample.id,
        "kinds": [part.type for part in content],
        "text": sample.input if isinstance(sample.input, str) else content[-1].text,
        "was_asked": any(message.role == "assistant" for message in sample.messages),
        "value": score.value if is_scored else None,
        "answer": score.answer,
        "explanation": score.explanation,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
