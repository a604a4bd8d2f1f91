#!/usr/bin/python3
"""The PyTorch side of bench/accuracy: a NAS-Bench-201 network trained on Fashion-MNIST by the recipe nas-bench-201 (SGD,
Nesterov momentum 0.9, weight decay 5e-4, rate 0.1 falling by a cosine per epoch, mirroring and crops of 4 pixels).
Trains on the first --train-images of the training file and prints one JSON line per epoch, the last with
the accuracy on the test images."""
import argparse
import gzip
import json
import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CROP = 4
CLASSES = 10
EVAL_BATCH = 1000


def read_idx(path):
    data = gzip.open(path).read()
    sizes = [int.from_bytes(data[4 * i:4 * i + 4], 'big') for i in range(1, data[3] + 1)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)


def edge(source, channels, kernel, stride=1):
    conv = nn.Conv2d(source, channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(channels))


OPERATIONS = {
    'none': lambda c: None,
    'skip_connect': lambda c: nn.Identity(),
    'nor_conv_1x1': lambda c: edge(c, c, 1),
    'nor_conv_3x3': lambda c: edge(c, c, 3),
    'avg_pool_3x3': lambda c: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}


class Cell(nn.Module):
    """Node i + 1 is the sum of one operation on each node before it; an edge of `none` adds nothing."""

    def __init__(self, arch, channels):
        super().__init__()
        self.terms = []
        self.edges = nn.ModuleList()
        for node in arch.split('+'):
            terms = []
            for text in node.strip('|').split('|'):
                name, source = text.split('~')
                module = OPERATIONS[name](channels)
                if module is not None:
                    terms.append((int(source), len(self.edges)))
                    self.edges.append(module)
            self.terms.append(terms)

    def forward(self, x):
        nodes = [x]
        for terms in self.terms:
            parts = [self.edges[e](nodes[source]) for source, e in terms]
            nodes.append(sum(parts[1:], parts[0]) if parts else torch.zeros_like(x))
        return nodes[-1]


class Reduction(nn.Module):
    """A residual block that halves the picture and doubles the channels."""

    def __init__(self, channels):
        super().__init__()
        self.main = nn.Sequential(edge(channels, 2 * channels, 3, 2), edge(2 * channels, 2 * channels, 3))
        self.short = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, x):
        return self.main(x) + self.short(x)


def network(arch, channels, cells):
    parts = [nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
    for stage in range(3):
        width = channels << stage
        parts += [Cell(arch, width) for _ in range(cells)]
        if stage < 2:
            parts.append(Reduction(width))
    last = channels << 2
    parts += [nn.BatchNorm2d(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, CLASSES)]
    return nn.Sequential(*parts).to(memory_format=torch.channels_last)


def augmented(padded, chosen, rng):
    """Random crops out of padded images [n, h + 2 CROP, w + 2 CROP], half of them mirrored."""
    side = padded.shape[1] - 2 * CROP
    span = np.arange(side)
    row = rng.integers(0, 2 * CROP + 1, len(chosen))[:, None] + span
    column = rng.integers(0, 2 * CROP + 1, len(chosen))[:, None] + span
    mirrored = rng.random(len(chosen)) < 0.5
    column[mirrored] = column[mirrored, ::-1]
    return padded[chosen[:, None, None], row[:, :, None], column[:, None, :]]


def tensor(images, device):
    batch = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return batch[:, None].contiguous(memory_format=torch.channels_last)


def evaluate(net, images, labels, device):
    net.eval()
    right, loss = 0, 0.0
    with torch.no_grad():
        for i in range(0, len(labels), EVAL_BATCH):
            wanted = torch.from_numpy(labels[i:i + EVAL_BATCH]).to(device)
            logits = net(tensor(images[i:i + EVAL_BATCH], device))
            right += (logits.argmax(1) == wanted).sum().item()
            loss += F.cross_entropy(logits, wanted, reduction='sum').item()
    return 100 * right / len(labels), loss / len(labels)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--arch', required=True)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--channels', type=int, default=8)
    p.add_argument('--cells', type=int, default=1)
    p.add_argument('--epochs', type=int, default=12)
    p.add_argument('--batch', type=int, default=256)
    p.add_argument('--train-images', type=int, default=50000)
    p.add_argument('--device', default='cpu', help='cpu or cuda; sums are single precision in either')
    p.add_argument('--data', default='/usr/share/datasets/fashion-mnist')
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    files = [read_idx(f'{a.data}/{part}-ubyte.gz') for part in
             ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1')]
    train, labels = files[0][:a.train_images], files[1][:a.train_images].astype(np.int64)
    mean, deviation = train.mean() / 255, train.std() / 255
    normal = [((x.astype(np.float32) / 255 - mean) / deviation).astype(np.float32) for x in (train, files[2])]
    test_labels = files[3].astype(np.int64)
    padded = np.pad(normal[0], ((0, 0), (CROP, CROP), (CROP, CROP)))
    net = network(a.arch, a.channels, a.cells).to(a.device)
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    for epoch in range(a.epochs):
        for group in optimiser.param_groups:
            group['lr'] = 0.1 * 0.5 * (1 + math.cos(math.pi * epoch / a.epochs))
        net.train()
        begin, order, total, right = time.time(), rng.permutation(len(labels)), 0.0, 0
        for i in range(0, len(order), a.batch):
            chosen = order[i:i + a.batch]
            wanted = torch.from_numpy(labels[chosen]).to(a.device)
            logits = net(tensor(augmented(padded, chosen, rng), a.device))
            loss = F.cross_entropy(logits, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(chosen)
            right += (logits.argmax(1) == wanted).sum()
        row = {'epoch': epoch + 1, 'train_loss': float(total) / len(order),
               'train_accuracy': 100 * int(right) / len(order), 'seconds': time.time() - begin}
        if epoch + 1 == a.epochs:
            row['test_accuracy'], row['test_loss'] = evaluate(net, normal[1], test_labels, a.device)
        print(json.dumps(row), flush=True)


if __name__ == '__main__':
    main()
