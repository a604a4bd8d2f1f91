"""The network of `bench-results lif-mnist` in PyTorch: 784 -> 10 LIF neurons on MNIST, T = 100 steps, tau 2, hard reset to 0,
threshold 1, arctangent surrogate (alpha 2), squared error of the rates, Adam 1e-3, batch 64.
What the neurons see: a constant current W x + b, as there; pixels as random spikes, as SpikingJelly's example (slow); or the
normal distribution that the sums of such spikes have by the central limit theorem.
  python3 bench/results/lif_torch.py --data FOLDER_OF_MNIST [--input constant|spikes|normal] [--epochs N] [--seed N]
"""
import argparse
import gzip
import math
import time

import numpy as np
import torch

p = argparse.ArgumentParser()
p.add_argument('--data', default='mnist', help='folder of the four IDX files, gzipped')
p.add_argument('--epochs', type=int, default=10)
p.add_argument('--seed', type=int, default=0)
p.add_argument('--steps', type=int, default=100)
p.add_argument('--train', type=int, default=59000, help='images of an epoch')
p.add_argument('--input', choices=['constant', 'spikes', 'normal'], default='constant')
a = p.parse_args()
torch.set_num_threads(1)
torch.manual_seed(a.seed)


def read(name, head):
    return np.frombuffer(gzip.open(f'{a.data}/{name}').read(), np.uint8)[head:]


images, labels = ([], [])
for split in ('train', 't10k'):
    pixels = read(f'{split}-images-idx3-ubyte.gz', 16).reshape(-1, 784).astype(np.float32) / 255
    images.append(torch.from_numpy(pixels))
    labels.append(torch.from_numpy(read(f'{split}-labels-idx1-ubyte.gz', 8).astype(np.int64)))


class Rate(torch.autograd.Function):
    """Currents [N,10], or [T,N,10], to the share of steps with a spike; the reset takes part in the gradient."""

    @staticmethod
    def forward(ctx, x):
        ctx.sequence = x.dim() == 3
        v, before, spikes = 0, [], []
        for t in range(a.steps):
            h = v + ((x[t] if ctx.sequence else x) - v) / 2
            s = (h >= 1).float()
            v = h * (1 - s)
            before.append(h)
            spikes.append(s)
        spikes = torch.stack(spikes)
        ctx.save_for_backward(torch.stack(before), spikes)
        return spikes.mean(0)

    @staticmethod
    def backward(ctx, by_rate):
        before, spikes = ctx.saved_tensors
        slope = 1 / (1 + (math.pi * (before - 1)) ** 2)
        keep = 1 - spikes - before * slope
        by_v, by_x = 0, []
        for t in reversed(range(a.steps)):
            by_h = by_rate / a.steps * slope[t] + by_v * keep[t]
            by_x.append(by_h / 2)
            by_v = by_h / 2
        return torch.stack(by_x[::-1]) if ctx.sequence else torch.stack(by_x).sum(0)


net = torch.nn.Linear(784, 10)
optimiser = torch.optim.Adam(net.parameters(), 1e-3)


def rates(x):
    if a.input == 'spikes':
        return Rate.apply(net((torch.rand(a.steps, *x.shape) <= x).float()))
    current = net(x)
    if a.input == 'normal':
        deviation = ((x * (1 - x)) @ (net.weight ** 2).T + 1e-12).sqrt()
        current = current + deviation * torch.randn(a.steps, *current.shape)
    return Rate.apply(current)


def accuracy():
    with torch.no_grad():
        guesses = torch.cat([rates(x).argmax(1) for x in images[1].split(500)])
    return 100 * (guesses == labels[1]).float().mean().item()


best = 0
for epoch in range(a.epochs):
    begin, total = time.time(), 0
    for batch in torch.randperm(len(images[0]))[:a.train].split(64):
        wanted = torch.nn.functional.one_hot(labels[0][batch], 10).float()
        loss = ((rates(images[0][batch]) - wanted) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(batch)
    test = accuracy()
    best = max(best, test)
    print(f'{a.input} seed {a.seed} epoch {epoch + 1}: train loss {total / a.train:.5f}, test {test:.2f}, '
          f'best {best:.2f} ({time.time() - begin:.0f} s)', flush=True)
