"""The tutorials' DCGAN in Keras, for so many seconds, for `peers.py`.

Needs TensorFlow and Keras 2 in an environment of their own (keras_rounds.py, whose networks and
`train_step` these are). Samples go to OUT as uint8 images; the count of images to stderr.

    python benchmarks/keras_dcgan.py IMAGES.npy SECONDS OUT.npz
"""

from __future__ import annotations

import sys
import time

import numpy as np
import tf_keras as keras

from keras_rounds import BATCH, LATENT, dcgan_of, generator

COUNT = 10_000


def main() -> None:
    start = time.monotonic()
    keras.utils.set_random_seed(0)
    real, seconds, out = np.load(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    painter = generator()
    step = dcgan_of(painter, (real[..., None].astype(np.float32) - 127.5) / 127.5)
    rounds = 0
    while time.monotonic() - start < seconds:
        step()
        rounds += 1
    noise = np.random.default_rng(0).standard_normal((COUNT, LATENT), dtype=np.float32)
    images = painter.predict(noise, batch_size=BATCH, verbose=0)
    np.savez(out, images=np.rint((images + 1) * 127.5).clip(0, 255).astype(np.uint8))
    print(rounds * BATCH, file=sys.stderr)


if __name__ == "__main__":
    main()
