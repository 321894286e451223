"""A user's mistakes, one a line: pyright finds each of them, so it knows the types it reads from ganjax."""

import jax
from typed_parts import perceptron

import ganjax
from ganjax import datasets, experiments, losses, training

key = jax.random.key(0)
gan = ganjax.GAN(perceptron(8, 2), perceptron(2, 1))
state = ganjax.init_state(gan, key)

ganjax.GAN(perceptron(8, 2))  # wrong
ganjax.GAN(perceptron(8, 2), perceptron(2, 1), update="in turns")  # wrong
ganjax.GAN(perceptron(8, 2), perceptron(2, 1), loss=losses.generator_loss)  # wrong
ganjax.GAN(perceptron(8, 2), perceptron(2, 1), penalties=ganjax.R1(10.0))  # wrong
ganjax.init_state(gan)  # wrong
ganjax.train_step(gan, key, key)  # wrong
ganjax.generate(gan, state, key, n="many")  # wrong
ganjax.discriminate(gan, state)  # wrong
ganjax.R1("10")  # wrong
print(state.steps)  # wrong
gan.ema_decay = 0.9  # wrong
print(losses.hing)  # wrong
datasets.toy.rings(key, 8)  # wrong
datasets.load_avatars("8")  # wrong
experiments.Ring(speed=2)  # wrong
training.fit(experiments.Ring(), 7)  # wrong
training.RunFolder.create(7)  # wrong
