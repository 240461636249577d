"""The introductory texts' GAN on MNIST as the texts write it, in Keras 2, for `classic_gan.py`.

Needs TensorFlow and Keras 2, which mulligan does not: `pip install tensorflow-cpu tf_keras`, in an
environment of their own. Nothing of mulligan or torch is imported.

A round is the texts' round: the discriminator's `train_on_batch` on 128 real images drawn with
replacement, then on 128 generated ones, then the generator's through the frozen discriminator.
`train_on_batch` spends most of its time outside of the arithmetic, so the same three updates, with
the same Keras optimizers, are one compiled function here. Before the first seed both are played
side by side for 20 rounds from the same weights and noise: every logged value and every weight must
agree, and both networks must move. `--textbook` plays `train_on_batch` to the end.

    python benchmarks/classic_gan_keras.py train-images-idx3-ubyte.gz rows.json

writes after each seed and skips the seeds that the file already holds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

BATCH, LATENT, EVERY, CHECKED = 128, 100, 1_000, 20
Floats = NDArray[np.float32]
Draw = tuple[Floats, Floats, Floats]  # reals, noise of the discriminator's fakes, of the generator
Play = Callable[[Draw], Any]  # discriminator's loss, its accuracy in percent, generator's loss


class Game:
    """Both networks, compiled as in the texts, and a round of them in two ways."""

    def __init__(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        self.generator = keras.Sequential(
            [
                layers.Dense(128, input_dim=LATENT),
                layers.LeakyReLU(alpha=0.01),
                layers.Dense(28 * 28, activation="tanh"),
                layers.Reshape((28, 28, 1)),
            ]
        )
        self.discriminator = keras.Sequential(
            [
                layers.Flatten(input_shape=(28, 28, 1)),
                layers.Dense(128),
                layers.LeakyReLU(alpha=0.01),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        adam = keras.optimizers.Adam  # 0.001, 0.9, 0.999, 1e-7
        self.discriminator.compile(adam(), "binary_crossentropy", metrics=["accuracy"])
        self.discriminator.trainable = False
        self.both = keras.Sequential([self.generator, self.discriminator])
        self.both.compile(adam(), "binary_crossentropy")
        self.ones, self.zeros = np.ones((BATCH, 1)), np.zeros((BATCH, 1))

    def weights(self) -> list[Floats]:
        return [*self.discriminator.get_weights(), *self.generator.get_weights()]

    def textbook(self, draw: Draw) -> Any:
        """A round as the texts write it."""
        reals, first, second = draw
        fakes = self.generator.predict(first, verbose=0)
        on_reals = self.discriminator.train_on_batch(reals, self.ones)
        on_fakes = self.discriminator.train_on_batch(fakes, self.zeros)
        loss, accuracy = 0.5 * np.add(on_reals, on_fakes)
        return loss, 100 * accuracy, self.both.train_on_batch(second, self.ones)

    def compiled(self) -> Play:
        """The same round as one function."""
        generator, discriminator = self.generator, self.discriminator
        cross_entropy = keras.losses.BinaryCrossentropy()
        judges, painters = discriminator.weights, generator.trainable_variables

        def judge(images: tf.Tensor, label: float) -> tuple[tf.Tensor, tf.Tensor]:
            labels = tf.fill((BATCH, 1), label)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(judges)
                judged = discriminator(images, training=True)
                loss = cross_entropy(labels, judged)
            gradients = tape.gradient(loss, judges)
            discriminator.optimizer.apply_gradients(zip(gradients, judges, strict=True))
            right = tf.equal(judged > 0.5, labels > 0.5)
            return loss, tf.reduce_mean(tf.cast(right, tf.float32))

        def play(reals: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
            fakes = generator(first, training=False)
            loss_real, right_real = judge(reals, 1.0)
            loss_fake, right_fake = judge(fakes, 0.0)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(painters)
                judged = discriminator(generator(second, training=True), training=True)
                loss = cross_entropy(tf.ones((BATCH, 1)), judged)
            gradients = tape.gradient(loss, painters)
            self.both.optimizer.apply_gradients(zip(gradients, painters, strict=True))
            right = (right_real + right_fake) / 2
            return tf.stack([(loss_real + loss_fake) / 2, 100 * right, loss])

        fast = tf.function(play)
        return lambda draw: fast(*map(tf.constant, draw)).numpy()


def draws(images: Floats, seed: int) -> Iterator[Draw]:
    """What the rounds of a seed are fed with: reals with replacement, normal noise twice."""
    random = np.random.default_rng(seed)
    while True:
        rows = random.integers(0, len(images), BATCH)
        first, second = random.standard_normal((2, BATCH, LATENT), dtype=np.float32)
        yield images[rows], first, second


def check(images: Floats) -> None:
    """The compiled round is the texts' round, and both networks are trained by it."""
    game, other = Game(0), Game(0)
    before, play = game.weights(), other.compiled()
    for _, draw in zip(range(CHECKED), draws(images, 0), strict=False):
        np.testing.assert_allclose(play(draw), game.textbook(draw), rtol=1e-4)
    for old, mine, theirs in zip(before, game.weights(), other.weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
        assert not np.array_equal(old, mine)
    print(f"{CHECKED} rounds of train_on_batch and of the compiled function agree", flush=True)


def rows(images: Floats, seed: int, rounds: int, textbook: bool) -> list[dict[str, Any]]:
    """One row each 1,000 rounds: means over them, and the last of them alone as the texts log."""
    game, began = Game(seed), time.monotonic()
    play = game.textbook if textbook else game.compiled()
    found, since = [], []
    for number, draw in zip(range(1, rounds + 1), draws(images, seed), strict=False):
        since.append([float(value) for value in play(draw)])
        if number % EVERY == 0:
            mean = np.mean(since, axis=0).tolist()
            seconds = round(time.monotonic() - began, 1)
            found.append({"round": number, "mean": mean, "single": since[-1], "seconds": seconds})
            print(f"seed {seed}", found[-1], flush=True)
            since.clear()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="MNIST's train-images-idx3-ubyte.gz")
    parser.add_argument("out", type=Path, help="JSON to write")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--textbook", action="store_true", help="train_on_batch to the end")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    raw = np.frombuffer(gzip.decompress(options.images.read_bytes()), np.uint8, offset=16)
    images = (raw.reshape(-1, 28, 28, 1) / 127.5 - 1.0).astype(np.float32)
    check(images)
    seeds = json.loads(options.out.read_text())["seeds"] if options.out.exists() else {}
    for seed in range(options.seeds):
        if str(seed) not in seeds:
            seeds[str(seed)] = rows(images, seed, options.rounds, options.textbook)
        versions = {"tensorflow": tf.__version__, "tf_keras": keras.__version__}
        options.out.write_text(json.dumps({"versions": versions, "seeds": seeds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
