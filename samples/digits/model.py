"""The digits, the network, and its training: plain Gluon code."""

from collections.abc import Iterator

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.datasets import load_digits

import gluonnx as mx
from gluonnx import autograd, gluon
from gluonnx.gluon import nn

SEED = 1
TEST_COUNT = 450
BATCH_SIZE = 64
EPOCHS = 15

Arrays = tuple[np.ndarray, np.ndarray]


def load() -> tuple[Arrays, Arrays]:
    """Return (train, test) of the 1,797 scanned digits: images (N, 1, 8, 8) float32 in [0, 1], labels (N,) float32."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.float32)
    order = np.random.RandomState(SEED).permutation(len(images))
    train, test = order[TEST_COUNT:], order[:TEST_COUNT]
    return (images[train], labels[train]), (images[test], labels[test])


def lenet() -> nn.HybridSequential:
    """Return the network: two convolutions with batch normalization and pooling, two dense layers; gives logits."""
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Conv2D(20, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Conv2D(50, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10),
        )
    return net


def with_probabilities(net: nn.HybridSequential) -> nn.HybridSequential:
    """Return what is deployed: the network and a softmax after it, sharing its parameters."""
    deployed = nn.HybridSequential()
    deployed.add(net, nn.HybridLambda("softmax"))
    return deployed


def batches(images: np.ndarray, labels: np.ndarray, order: np.ndarray) -> Iterator[tuple[mx.nd.NDArray, mx.nd.NDArray]]:
    """Give batches in the order of `order`; the last may be smaller."""
    for start in range(0, len(order), BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        yield mx.nd.array(images[chosen]), mx.nd.array(labels[chosen])


def train(net: nn.HybridSequential, images: np.ndarray, labels: np.ndarray, epochs: int = EPOCHS) -> None:
    """Train with Adam on the softmax cross entropy, with a progress bar."""
    mx.random.seed(SEED)
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    loss_function = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 2e-3})
    shuffle = np.random.RandomState(SEED)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs, loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=epochs, loss=float("nan"))
        for _ in range(epochs):
            total = 0.0
            for data, label in batches(images, labels, shuffle.permutation(len(images))):
                with autograd.record():
                    loss = loss_function(net(data), label)
                loss.backward()
                trainer.step(data.shape[0])
                total += float(loss.sum().asscalar())
            progress.update(task, advance=1, loss=total / len(images))


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows whose largest output is at the label."""
    return float((outputs.argmax(axis=1) == labels).mean())
