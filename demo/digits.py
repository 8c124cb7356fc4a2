"""The learning task: scikit-learn's handwritten digits, split unequally over the clients, and a small network.

The data ships inside scikit-learn (1,797 images of 8 x 8 pixels), so nothing is downloaded.
A client's share is drawn from a Dirichlet distribution over the ten classes (Hsu, Qi and Brown 2019, arXiv:1909.06335):
shares differ in size and in content, as they do between hospitals or phones.
The model is one hidden layer, trained with plain minibatch gradient descent in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HIDDEN = 96
CLASSES = 10
PIXELS = 64

Parameters = dict[str, np.ndarray]
"""The model: arrays by name, float32, in the order in which they are flattened."""


@dataclass(frozen=True)
class Share:
    """What one client holds and never shows."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def size(self) -> int:
        """The client's weight in the average: its number of images."""
        return len(self.labels)

    def histogram(self) -> list[int]:
        """Images per class, for the report only; no client sends it."""
        return np.bincount(self.labels, minlength=CLASSES).tolist()


def load(seed: int) -> tuple[Share, Share]:
    """Training and test data, pixels scaled to [0, 1]."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.25, random_state=seed, stratify=labels
    )
    return Share(train_x, train_y), Share(test_x, test_y)


def split(data: Share, clients: int, alpha: float, least: int, seed: int) -> list[Share]:
    """Deals `data` to `clients`, class by class, in proportions drawn from Dirichlet(`alpha`).

    Draws again until everyone holds at least `least` images. Every image is dealt exactly once.
    """
    rng = np.random.default_rng(seed)
    while True:
        hands: list[list[np.ndarray]] = [[] for _ in range(clients)]
        for label in range(CLASSES):
            indices = rng.permutation(np.flatnonzero(data.labels == label))
            cuts = np.cumsum(rng.dirichlet(np.full(clients, alpha)))[:-1] * len(indices)
            for hand, part in zip(hands, np.split(indices, cuts.astype(int)), strict=True):
                hand.append(part)
        shares = [np.concatenate(hand) for hand in hands]
        if min(map(len, shares)) >= least:
            return [Share(data.images[s], data.labels[s]) for s in shares]


def initial_model(seed: int) -> Parameters:
    """He initialisation (arXiv:1502.01852, section 2.2)."""
    rng = np.random.default_rng(seed)

    def layer(inputs: int, outputs: int) -> np.ndarray:
        return (rng.standard_normal((inputs, outputs)) * np.sqrt(2.0 / inputs)).astype(np.float32)

    return {
        "hidden.weight": layer(PIXELS, HIDDEN),
        "hidden.bias": np.zeros(HIDDEN, np.float32),
        "output.weight": layer(HIDDEN, CLASSES),
        "output.bias": np.zeros(CLASSES, np.float32),
    }


def count(model: Parameters) -> int:
    """Number of parameters."""
    return sum(a.size for a in model.values())


def add(model: Parameters, update: Parameters) -> Parameters:
    """model + update, array by array."""
    return {name: (a + update[name]).astype(np.float32) for name, a in model.items()}


def accuracy(model: Parameters, data: Share) -> float:
    """Share of `data` that the model classifies correctly."""
    hidden = np.maximum(data.images @ model["hidden.weight"] + model["hidden.bias"], 0.0)
    scores = hidden @ model["output.weight"] + model["output.bias"]
    return float(np.mean(scores.argmax(axis=1) == data.labels))


def local_update(
    model: Parameters, share: Share, *, epochs: int, rate: float, batch: int, seed: int
) -> Parameters:
    """What the client would send in plain FedAvg: its trained model less the model that it was given."""
    rng = np.random.default_rng(seed)
    w1, b1, w2, b2 = (a.copy() for a in model.values())
    for _ in range(epochs):
        order = rng.permutation(share.size)
        for at in range(0, share.size, batch):
            chosen = order[at : at + batch]
            x, y = share.images[chosen], share.labels[chosen]
            hidden = np.maximum(x @ w1 + b1, 0.0)
            scores = hidden @ w2 + b2
            scores -= scores.max(axis=1, keepdims=True)
            slope = np.exp(scores)
            slope /= slope.sum(axis=1, keepdims=True)
            slope[np.arange(len(y)), y] -= 1.0
            slope *= rate / len(y)
            back = (slope @ w2.T) * (hidden > 0.0)
            w2 -= hidden.T @ slope
            b2 -= slope.sum(axis=0)
            w1 -= x.T @ back
            b1 -= back.sum(axis=0)
    trained = dict(zip(model, (w1, b1, w2, b2), strict=True))
    return {name: trained[name] - model[name] for name in model}


def fedavg(updates: dict[int, Parameters], weights: dict[int, int]) -> Parameters:
    """The weighted mean in the clear (McMahan et al. 2017, arXiv:1602.05629, algorithm 1), in float64: the reference."""
    total = sum(weights[i] for i in updates)
    names = next(iter(updates.values())).keys()
    return {
        name: sum(weights[i] * u[name].astype(np.float64) for i, u in updates.items()) / total
        for name in names
    }
