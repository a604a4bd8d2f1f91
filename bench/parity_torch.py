#!/usr/bin/python3
"""Does a PyTorch program take the same steps? bench-parity (bench/parity.c) trains a network and hands over its starting
numbers, batches and learning rates; here the same steps are taken from the same numbers in double and in single
precision. Printed after chosen steps: losses, and distances of the weights and of the running statistics from those of
the double-precision run, relative to how far these have come from their start. Rounding makes two trainings drift
apart, so ours may be as far from it as PyTorch's own single precision is, and no further.

  bench/parity_torch.py [--bench build/release/bin/bench-parity] [--marks 1,10,100,500] [--augment] [--double] [--arch A]
"""
import argparse
import os
import subprocess
import sys

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from accuracy_torch import network  # noqa: E402


def torch_names(arch, cells):
    """Our names of what the network's state_dict lists, in its order."""
    names = ['stem.conv', 'stem.bn']
    for stage in range(3):
        if stage:
            names += [f'reduction{stage}.{x}' for x in ('a.conv', 'a.bn', 'b.conv', 'b.bn', 'down.conv')]
        for cell in range(cells):
            for to, node in enumerate(arch.split('+'), 1):
                for edge in node.strip('|').split('|'):
                    name, source = edge.split('~')
                    if name.startswith('nor_conv'):
                        names += [f'stage{stage}.cell{cell}.edge{source}-{to}.{x}' for x in ('conv', 'bn')]
    for name in names + ['head.bn', 'head.classifier']:
        for part in ['weight'] if name.endswith('conv') else ['weight', 'bias']:
            yield f'{name}.{part}'
        if name.endswith('bn'):
            yield from (f'{name}.running_mean', f'{name}.running_var')


class Twin:
    """The network in PyTorch, in one precision."""

    def __init__(self, arch, channels, dtype):
        self.net = network(arch, channels, 1).to(dtype)
        self.dtype = dtype
        keys = [k for k in self.net.state_dict() if not k.endswith('num_batches_tracked')]
        self.key = dict(zip(torch_names(arch, 1), keys, strict=True) if sys.version_info >= (3, 10)
                        else zip(torch_names(arch, 1), keys))
        self.optimiser = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)

    def load(self, numbers):
        state = self.net.state_dict()
        for name, values in numbers.items():
            state[self.key[name]].copy_(torch.from_numpy(values).reshape(state[self.key[name]].shape))

    def numbers(self):
        state = self.net.state_dict()
        return {name: state[key].double().numpy().ravel().copy() for name, key in self.key.items()}

    def step(self, x, labels, rate):
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        self.net.train()
        batch = torch.from_numpy(x)[:, None].to(self.dtype).contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(self.net(batch), torch.from_numpy(labels))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Reader:
    def __init__(self, stream):
        self.stream, self.tensors = stream, []

    def line(self):
        return self.stream.readline().decode().split(' ', 1)

    def array(self, n, dtype):
        data = self.stream.read(n * np.dtype(dtype).itemsize)
        return np.frombuffer(data, dtype).copy()

    def numbers(self):
        return {name: self.array(count, np.float64) for name, count in self.tensors}


def distance(a, b, start, running):
    names = [n for n in a if n.rsplit('.', 1)[1].startswith('running') == running]
    apart = sum(((a[n] - b[n]) ** 2).sum() for n in names)
    come = sum(((b[n] - start[n]) ** 2).sum() for n in names)
    return (apart / come) ** 0.5


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bench', default='build/release/bin/bench-parity')
    p.add_argument('--arch', default='|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|')
    p.add_argument('--channels', type=int, default=8)
    p.add_argument('--batch', type=int, default=64)
    p.add_argument('--train-images', type=int, default=3170)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--marks', default='1,10,100,500')
    p.add_argument('--lr', default='0.1', help='at the start; small ones show agreement over more steps')
    p.add_argument('--augment', action='store_true')
    p.add_argument('--double', action='store_true', help='ours in double precision too')
    a = p.parse_args()
    torch.set_num_threads(1)
    command = [a.bench, '--arch', a.arch, '--channels', str(a.channels), '--batch', str(a.batch), '--train-images',
               str(a.train_images), '--seed', str(a.seed), '--marks', a.marks, '--lr', a.lr]
    command += ['--augment'] * a.augment + ['--double'] * a.double
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    reader = Reader(child.stdout)
    twins = {'double': Twin(a.arch, a.channels, torch.float64), 'single': Twin(a.arch, a.channels, torch.float32)}
    start, losses, step = None, {}, 0
    print(f'{"step":>5s} {"loss ours":>11s} {"double":>11s} {"single":>11s}   weights: {"ours":>9s} {"single":>9s}   '
          f'statistics: {"ours":>9s} {"single":>9s}')
    while True:
        word, *rest = reader.line()
        if word.strip() == 'tensor':
            name, count, _ = rest[0].split()
            reader.tensors.append((name, int(count)))
        elif word.strip() == 'numbers':
            ours = reader.numbers()
            if start is None:
                start = ours
                for t in twins.values():
                    t.load(ours)
                continue
            found = {k: t.numbers() for k, t in twins.items()}
            far = [distance(x, found['double'], start, running) for running in (False, True)
                   for x in (ours, found['single'])]
            print(f'{step:5d} {losses["ours"]:11.8f} {losses["double"]:11.8f} {losses["single"]:11.8f}            '
                  f'{far[0]:9.1e} {far[1]:9.1e}               {far[2]:9.1e} {far[3]:9.1e}', flush=True)
        elif word.strip() == 'step':
            step, images, rate, loss = rest[0].split()
            step, images = int(step), int(images)
            x = reader.array(images * 28 * 28, np.float32).reshape(images, 28, 28)
            labels = reader.array(images, np.int32).astype(np.int64)
            losses = {k: t.step(x, labels, float(rate)) for k, t in twins.items()}
            losses['ours'] = float(loss)
        else:
            print(' '.join([word, *rest]).strip())
            break
    sys.exit(child.wait())


main()
