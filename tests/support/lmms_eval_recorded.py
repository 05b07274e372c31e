"""A model of lmms-eval that gives recorded replies and notes what it was shown; run in lmms-eval's own environment.

As a module it is what the entry point `lmms_eval.models` names; as a script, `SPEC.json OUT.json`, it evaluates one
task after the other with chat models and simple ones in one process.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest


class Recorded(lmms):
    """Simple: it is given paths and images."""

    is_simple = True

    def __init__(self, replies: str | dict[str, str] = "", **_: Any) -> None:
        super().__init__()
        self.replies = json.loads(Path(replies).read_text()) if isinstance(replies, str) else replies
        self.asked: list[dict[str, Any]] = []

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The recorded replies, by question."""
        answers = []
        for request in requests:
            text, parameters, show, number, task, split = request.args
            document = self.task_dict[task][split][number]
            self.note(document, text, parameters, show(document))
            answers.append(self.replies[document["question_id"]])
        return answers

    def note(self, document: dict[str, Any], text: str, parameters: dict[str, Any], visuals: list[Any]) -> None:
        """Keep what was shown: paths as they are, images by their size and digest."""
        told = [visual if isinstance(visual, str | list) else describe(visual) for visual in visuals]
        self.asked.append(
            {"question_id": document["question_id"], "text": text, "visuals": told, "until": parameters["until"]}
        )

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        """Not asked for."""
        raise NotImplementedError

    def generate_until_multi_round(self, requests: list[Any]) -> list[Any]:
        """Not asked for."""
        raise NotImplementedError


class RecordedChat(Recorded):
    """Chat: it is given messages."""

    is_simple = False

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The recorded replies, by question."""
        from lmms_eval.protocol import ChatMessages

        answers = []
        for request in requests:
            _, write, parameters, number, task, split = request.args
            document = self.task_dict[task][split][number]
            (message,) = ChatMessages(messages=write(document)).messages
            *visuals, text = message.content
            self.note(document, text.text, parameters, [visual.url for visual in visuals])
            answers.append(self.replies[document["question_id"]])
        return answers


def describe(image: Any) -> list[Any]:
    """Size and digest of a Pillow image."""
    assert image.mode == "RGB"
    return [*image.size, hashlib.sha256(image.tobytes()).hexdigest()]


MANIFEST = ModelManifest("recorded", simple_class_path="lmms_eval_recorded.Recorded")


def main(spec: Path, out: Path) -> None:
    """Evaluate what the spec lists."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    told = []
    for run in json.loads(spec.read_text()):
        model = (RecordedChat if run["chat"] else Recorded)(run["replies"])
        manager = TaskManager(include_path=run["include_path"], include_defaults=False, model_name="recorded")
        results = simple_evaluate(model, tasks=[run["task"]], task_manager=manager, limit=run.get("limit"))
        (figures,) = results["results"].values()
        (samples,) = results["samples"].values()
        rows = [sample["overall"]["row"] for sample in samples if isinstance(sample.get("overall"), dict)]
        told.append({"figures": figures, "asked": model.asked, "rows": rows, "config": str(results["configs"])})
    out.write_text(json.dumps(told, allow_nan=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
