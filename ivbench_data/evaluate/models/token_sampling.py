"""Drawing tokens at a temperature, so that a resumed run draws the same: each reply has a seed of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch  # noqa: TID253  (this module is about tensors; it is reached only through `models.transformers`)

from ivbench_data.evaluate.prompts.requests import Request

if TYPE_CHECKING:
    from ivbench_data.evaluate.models import ModelOptions


@dataclass(frozen=True)
class TokenSampling:
    """How tokens are drawn."""

    temperature: float
    """Above 0."""
    top_p: float
    """Share of the probability that the tokens to draw from hold together."""
    seed: int
    """Seed of the run."""

    def seed_reply(self, request: Request) -> int:
        """The seed of a request's reply, 63 bits, whatever else is asked before it or beside it."""
        text = "\0".join(map(str, (self.seed, *request.key)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1

    def start(self, request: Request, device: torch.device) -> torch.Generator:
        """The generator of a request's draws."""
        return torch.Generator(device).manual_seed(self.seed_reply(request))

    def draw(self, logits: torch.Tensor, generators: list[torch.Generator]) -> torch.Tensor:
        """A token id for each row of `logits`, int64 `[rows]`, by each row's own generator.

        The race of `torch.multinomial`: the largest of `p / e`, with `e` drawn from the exponential distribution.
        """
        from transformers import TemperatureLogitsWarper, TopPLogitsWarper

        scores: Any = TemperatureLogitsWarper(self.temperature)(None, logits.float())
        if self.top_p < 1:
            scores = TopPLogitsWarper(self.top_p)(None, scores)
        race = torch.empty_like(scores)
        for row, generator in zip(race, generators, strict=True):
            row.exponential_(generator=generator)
        return (torch.softmax(scores, dim=-1) / race).argmax(dim=-1)


def choose_sampling(options: ModelOptions) -> TokenSampling | None:
    """How tokens are drawn; None for greedy decoding."""
    return TokenSampling(options.temperature, options.top_p, options.seed) if options.temperature else None
