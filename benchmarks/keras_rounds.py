"""Rounds of the classic GAN and DCGAN in Keras 2, timed on request for `round.py`.

Needs TensorFlow and Keras 2, which mulligan does not: `pip install tensorflow-cpu tf_keras`, in an
environment of their own. Nothing of mulligan or torch is imported.

Reads lines "gan 100" or "dcgan 4" and answers each with the seconds that so many rounds took. The
GAN's round is the texts' own, three times `train_on_batch` and a `predict` (classic_gan_keras.py);
the DCGAN's is the tutorials' `train_step`, a `tf.function` with two gradient tapes, batch 256.
TensorFlow chooses its threads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from classic_gan_keras import Floats, Game, draws

BATCH, LATENT = 256, 100
Step = Callable[[], object]


def gan(images: Floats) -> Step:
    """The texts' round."""
    game, source = Game(0), draws(images, 0)
    return lambda: game.textbook(next(source))


def generator() -> keras.Model:
    layers = keras.layers
    same = {"padding": "same", "use_bias": False}
    return keras.Sequential(
        [
            layers.Dense(7 * 7 * 256, use_bias=False, input_shape=(LATENT,)),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, strides=1, **same),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(64, 5, strides=2, **same),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 5, strides=2, activation="tanh", **same),
        ]
    )


def discriminator() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Conv2D(64, 5, strides=2, padding="same", input_shape=(28, 28, 1)),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Conv2D(128, 5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def dcgan(images: Floats) -> Step:
    """The tutorials' compiled round."""
    return dcgan_of(generator(), images)


def dcgan_of(painter: keras.Model, images: Floats) -> Step:
    """The tutorials' compiled round, which trains this generator."""
    judge = discriminator()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    first, second = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
    batches = iter(tf.data.Dataset.from_tensor_slices(images).repeat().shuffle(60_000).batch(BATCH))

    def train_step(reals: tf.Tensor) -> None:
        noise = tf.random.normal([BATCH, LATENT])
        with tf.GradientTape() as of_painter, tf.GradientTape() as of_judge:
            fakes = painter(noise, training=True)
            on_reals, on_fakes = judge(reals, training=True), judge(fakes, training=True)
            painted = loss(tf.ones_like(on_fakes), on_fakes)
            judged = loss(tf.ones_like(on_reals), on_reals)
            judged += loss(tf.zeros_like(on_fakes), on_fakes)
        steps = [(painter, of_painter, painted, first), (judge, of_judge, judged, second)]
        for network, tape, value, adam in steps:
            weights = network.trainable_variables
            adam.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))

    fast = tf.function(train_step)
    return lambda: fast(next(batches))


def main() -> None:
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).uniform(-1, 1, (60_000, 28, 28, 1)).astype(np.float32)
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        kind, count = line.split()
        if kind not in steps:
            steps[kind] = {"gan": gan, "dcgan": dcgan}[kind](images)
            for _ in range(3):
                steps[kind]()
        start = time.perf_counter()
        for _ in range(int(count)):
            steps[kind]()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
