"""The language model of this eval: a causal transformer that is trained once to follow directives.

A prompt is `directives text =`, the completion is the answer and a stop token. Importing this module needs torch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evals.directives.world import DIRECTIVES, LETTERS, LONGEST, MOST_DIRECTIVES, follow

PAD, ANSWER, STOP = "pad", "=", "stop"
TOKENS = (PAD, ANSWER, STOP, *DIRECTIVES, *LETTERS, *LETTERS.upper())
NUMBER = {token: number for number, token in enumerate(TOKENS)}
WIDTH, HEADS, LAYERS = 96, 4, 2
CONTEXT = MOST_DIRECTIVES + LONGEST + 1 + LONGEST + 1
SHORTEST_SHOWN = 3  # the second node reads what the first has shortened
STEPS, BATCH, RATE = 1200, 128, 4e-3


class Layer(nn.Module):
    """Pre-norm attention and a feed-forward part of twice the width."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.attend = nn.Linear(WIDTH, 3 * WIDTH)
        self.join = nn.Linear(WIDTH, WIDTH)
        self.feed = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        heads = self.attend(self.norms[0](x)).view(rows, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.join(seen.transpose(1, 2).reshape(rows, length, WIDTH))
        return x + self.feed(self.norms[1](x))


class Follower(nn.Module):
    """The transformer; it counts its forward passes and the prompts that it has completed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(TOKENS), WIDTH)
        self.place = nn.Parameter(torch.zeros(CONTEXT, WIDTH))
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.place, std=0.1)
        self.forwards = self.completed = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, rows × length × tokens."""
        self.forwards += 1
        hidden = self.layers(self.embed(tokens) + self.place[: tokens.shape[1]])
        return self.norm(hidden) @ self.embed.weight.T

    @torch.inference_mode()
    def complete(self, prompts: Sequence[tuple[Sequence[str], str]]) -> list[str]:
        """Return the greedy completion of each prompt (directives, text); all are decoded together.

        Padding stands to the right, where the causal attention of the decoded position cannot see it.
        """
        encoded = [_prompt(directives, text) for directives, text in prompts]
        tokens = torch.full((len(encoded), CONTEXT), NUMBER[PAD])
        for row, numbers in enumerate(encoded):
            tokens[row, : len(numbers)] = torch.tensor(numbers)
        ends = torch.tensor([len(numbers) for numbers in encoded])
        every = torch.arange(len(encoded))
        running = torch.ones(len(encoded), dtype=torch.bool)
        while bool(running.any()):
            logits = self(tokens[:, : int(ends.max())])
            best = logits[every, ends - 1].argmax(-1)
            running &= best != NUMBER[STOP]
            tokens[every[running], ends[running]] = best[running]
            ends = ends + running.long()
            running &= ends < CONTEXT
        self.completed += len(encoded)
        return [
            "".join(TOKENS[number] for number in tokens[row, len(numbers) : int(ends[row])])
            for row, numbers in enumerate(encoded)
        ]


def train(seed: int = 0) -> Follower:
    """Train the model from nothing: about a minute on one core."""
    torch.manual_seed(seed)
    chance = random.Random(f"directives/{seed}")
    model = Follower()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=STEPS)
    for _ in range(STEPS):
        tokens, targets = _training_batch(chance)
        loss = functional.cross_entropy(model(tokens).flatten(0, 1), targets.flatten(), ignore_index=NUMBER[PAD])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def sample(chance: random.Random) -> tuple[tuple[str, ...], str]:
    """Draw a prompt: no to two directives, and a text in small letters or capitals."""
    directives = tuple(chance.sample(list(DIRECTIVES), chance.choice((0, 1, 2, 2))))
    text = "".join(chance.choices(LETTERS, k=chance.randint(SHORTEST_SHOWN, LONGEST)))
    return directives, text.upper() if chance.random() < 0.5 else text


def exact_match(model: Follower, count: int = 1000, seed: int = 1) -> float:
    """Return the share of fresh prompts that the model completes without a mistake."""
    chance = random.Random(f"fresh/{seed}")
    prompts = [sample(chance) for _ in range(count)]
    completions = model.complete(prompts)
    return sum(follow(*prompt) == got for prompt, got in zip(prompts, completions, strict=True)) / count


def load_or_train(path: Path) -> Follower:
    """Read the model from a file, or train it and write the file (NumPy's format: no code is stored in it)."""
    if not path.exists():
        save(train(), path)
    model = Follower()
    with np.load(path, allow_pickle=False) as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return model.eval()


def save(model: Follower, path: Path) -> None:
    """Write the weights, by way of a second file, so that another process never reads half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part.npz")
    np.savez(draft, **{name: weight.numpy() for name, weight in model.state_dict().items()})
    draft.replace(path)


def _prompt(directives: Sequence[str], text: str) -> list[int]:
    """Return the tokens of a prompt; characters that the model has no token for (an untrained one's) are skipped."""
    return [NUMBER[token] for token in (*directives, *text, ANSWER) if token in NUMBER]


def _training_batch(chance: random.Random) -> tuple[Tensor, Tensor]:
    """Return tokens and the tokens to predict, each rows × (CONTEXT − 1); only the completion is a target."""
    tokens = torch.full((BATCH, CONTEXT), NUMBER[PAD])
    targets = torch.full((BATCH, CONTEXT), NUMBER[PAD])
    for row in range(BATCH):
        directives, text = sample(chance)
        prompt = _prompt(directives, text)
        completion = [NUMBER[token] for token in (*follow(directives, text), STOP)]
        whole = torch.tensor(prompt + completion)
        tokens[row, : len(whole)] = whole
        targets[row, len(prompt) : len(whole)] = whole[len(prompt) :]
    return tokens[:, :-1], targets[:, 1:]
