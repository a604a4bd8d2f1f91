"""The network of `bench-results convkan-fashion` in PyTorch: two convolutions of cubic splines with 10 cells (5 channels, 3x3
patches, no padding), each with a max pool, and a dense layer of the same, 22,800 parameters; AdamW 1e-3,
batch 128, pixels in [-1, 1]. An edge is base silu(x) + scale sum_j weight_j B_j(x), B_j cubic B-splines on [-1, 1], in the
dense layer on [0, 1]; base and scale start uniform in +-1/sqrt(in), in convolutions +-1/3. Weights start as the shortest for
which an edge's splines take random values in +-0.05/10 where cells meet, as in the authors' program; with --drawn as random
numbers in +-0.05/10 themselves, as our network's.
  python3 bench/results/convkan_torch.py --data FOLDER_OF_FASHION_MNIST [--train N] [--test N] [--epochs N] [--seed N] [--drawn]
"""
import argparse
import gzip
import time

import numpy as np
import torch
from torch import nn

p = argparse.ArgumentParser()
p.add_argument('--data', default='/usr/share/datasets/fashion-mnist', help='folder of the four IDX files, gzipped')
p.add_argument('--epochs', type=int, default=12)
p.add_argument('--seed', type=int, default=0)
p.add_argument('--train', type=int, default=59000, help='images that are trained on')
p.add_argument('--test', type=int, default=10000, help='test images')
p.add_argument('--drawn', action='store_true', help='draw the weights themselves')
a = p.parse_args()
torch.set_num_threads(1)
torch.manual_seed(a.seed)
GRID, ORDER = 10, 3

def read(name, head):
    return np.frombuffer(gzip.open(f'{a.data}/{name}').read(), np.uint8)[head:]

images, labels = [], []
for split in ('train', 't10k'):
    pixels = read(f'{split}-images-idx3-ubyte.gz', 16).reshape(-1, 1, 28, 28).astype(np.float32) / 127.5 - 1
    images.append(torch.from_numpy(pixels))
    labels.append(torch.from_numpy(read(f'{split}-labels-idx1-ubyte.gz', 8).astype(np.int64)))
keep = torch.randperm(len(images[0]))[:a.train]
images, labels = [images[0][keep], images[1][:a.test]], [labels[0][keep], labels[1][:a.test]]

class Splines(nn.Module):
    """Edges from `n_in` numbers to `n_out` sums, over the last dimension."""

    def __init__(self, n_in, n_out, low=-1, fan=None):
        super().__init__()
        self.low = low
        bound = (fan or n_in) ** -0.5
        self.base = nn.Parameter(torch.empty(n_in, n_out).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.empty(n_in, n_out).uniform_(-bound, bound))
        # middles of the splines, in cells from where the grid [low, 1] begins
        self.register_buffer('centres', torch.arange(GRID + ORDER) - (ORDER - 1) / 2)
        weight = torch.empty(n_in, GRID + (ORDER if a.drawn else 1), n_out).uniform_(-0.05 / GRID, 0.05 / GRID)
        if not a.drawn:
            meets = self.splines(torch.linspace(low, 1, GRID + 1, dtype=torch.float64))
            weight = (torch.linalg.pinv(meets) @ weight.double()).float()
        self.weight = nn.Parameter(weight)

    def splines(self, x):
        """Cubic B-splines as functions of the distance to their centres: one dimension more than x."""
        d = ((x.unsqueeze(-1) - self.low) * (GRID / (1 - self.low)) - self.centres).abs()
        return ((2 - d).clamp(min=0) ** 3 - 4 * (1 - d).clamp(min=0) ** 3) / 6

    def forward(self, x):
        shape, x = x.shape[:-1], x.reshape(-1, x.shape[-1])
        splines = self.splines(x)
        weight = (self.scale.unsqueeze(1) * self.weight).reshape(-1, self.scale.shape[1])
        y = torch.nn.functional.silu(x) @ self.base + splines.reshape(len(x), -1) @ weight
        return y.reshape(*shape, -1)


class Convolution(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.edges = Splines(9 * n_in, n_out, fan=9)

    def forward(self, x):
        patches = nn.functional.unfold(x, 3).transpose(1, 2)
        return self.edges(patches).transpose(1, 2).reshape(len(x), -1, x.shape[2] - 2, x.shape[3] - 2)


net = nn.Sequential(Convolution(1, 5), nn.MaxPool2d(2), Convolution(5, 5), nn.MaxPool2d(2), nn.Flatten(),
                    Splines(125, 10, low=0))
print(sum(w.numel() for w in net.parameters()), 'parameters')
optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0)

for epoch in range(a.epochs):
    begin, total = time.time(), 0
    for batch in torch.randperm(a.train).split(128):
        loss = nn.functional.cross_entropy(net(images[0][batch]), labels[0][batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(batch)
    with torch.no_grad():
        guesses = torch.cat([net(x).argmax(1) for x in images[1].split(500)])
    print(f'seed {a.seed} epoch {epoch + 1}: train loss {total / a.train:.5f}, '
          f'test {100 * (guesses == labels[1]).float().mean().item():.2f} ({time.time() - begin:.0f} s)', flush=True)
