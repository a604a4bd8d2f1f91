#!/usr/bin/python3
"""Writes optimisers.inc: parameters after each of five steps of PyTorch's optimisers, in double precision.
usage: optimisers.py > optimisers.inc"""
import torch

COUNT, STEPS = 5, 5
RATES = [0.1, 0.1, 0.05, 0.2, 0.01]


def start(i):
    return (i - 2) * 0.5


def grad(step, i):
    return ((7 * step + 3 * i) % 11 - 5) / 8


def run(make, clip):
    p = torch.tensor([start(i) for i in range(COUNT)], dtype=torch.float64, requires_grad=True)
    optimiser = make([p])
    rows = []
    for s in range(STEPS):
        for group in optimiser.param_groups:
            group['lr'] = RATES[s]
        p.grad = torch.tensor([grad(s, i) for i in range(COUNT)], dtype=torch.float64)
        if clip:
            torch.nn.utils.clip_grad_norm_([p], clip)
        optimiser.step()
        rows.append([float(x) for x in p])
    return rows


SGD, ADAM, ADAMW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
CASES = [
    ('sgd', 0, 0.0, 0.0, 0, 0, 0, 0.0, lambda p: SGD(p, 1.0)),
    ('sgd', 0, 0.0, 0.01, 0, 0, 0, 0.0, lambda p: SGD(p, 1.0, weight_decay=0.01)),
    ('sgd', 0, 0.9, 5e-4, 0, 0, 0, 0.0, lambda p: SGD(p, 1.0, momentum=0.9, weight_decay=5e-4)),
    ('sgd', 1, 0.9, 5e-4, 0, 0, 0, 0.0, lambda p: SGD(p, 1.0, momentum=0.9, weight_decay=5e-4, nesterov=True)),
    ('sgd', 1, 0.9, 5e-4, 0, 0, 0, 0.5, lambda p: SGD(p, 1.0, momentum=0.9, weight_decay=5e-4, nesterov=True)),
    ('adam', 0, 0.0, 0.0, 0.9, 0.999, 1e-8, 0.0, lambda p: ADAM(p, weight_decay=0)),
    ('adam', 0, 0.0, 0.1, 0.8, 0.95, 1e-3, 0.0, lambda p: ADAM(p, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ('adamw', 0, 0.0, 0.0, 0.9, 0.999, 1e-8, 0.0, lambda p: ADAMW(p, weight_decay=0)),
    ('adamw', 0, 0.0, 0.1, 0.8, 0.95, 1e-3, 0.0, lambda p: ADAMW(p, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ('adamw', 0, 0.0, 0.1, 0.8, 0.95, 1e-3, 0.5, lambda p: ADAMW(p, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
]
print('/* Written by optimisers.py with torch %s. */' % torch.__version__)
for name, nesterov, momentum, decay, b1, b2, eps, clip, make in CASES:
    print('{"%s", %d, %r, %r, %r, %r, %r, %r, {' % (name, nesterov, momentum, decay, b1, b2, eps, clip))
    for row in run(make, clip):
        print('  {%s},' % ', '.join('%.17g' % x for x in row))
    print('}},')
