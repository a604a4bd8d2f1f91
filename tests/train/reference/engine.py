#!/usr/bin/python3
"""Writes engine.inc: one training step of a small network in PyTorch, in double, for tests/train/test_reference.c.

Weights and images follow from number() below, which the test repeats. Run: /usr/bin/python3 engine.py > engine.inc
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def number(i, salt):
    return ((i * 37 + salt * 101 + i * i % 23) % 83 - 41) / 64


def fill(tensor, salt):
    with torch.no_grad():
        tensor.view(-1).copy_(torch.tensor([number(i, salt) for i in range(tensor.numel())]))


net = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
    nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
    nn.MaxPool2d(2, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
parameters = list(net.parameters())
for salt, p in enumerate(parameters):
    fill(p, salt + 1)
x = torch.empty(4, 3, 7, 6)
fill(x, 50)
x.requires_grad_()
labels = torch.tensor([1, 4, 0, 3])


def table(name, values):
    print(f'static const double {name}[] = {{')
    values = [float(v).hex() for v in values]
    for i in range(0, len(values), 4):
        print('    ' + ', '.join(values[i:i + 4]) + ',')
    print('};')


logits = net(x)
loss = F.cross_entropy(logits, labels)
loss.backward()
smooth = F.cross_entropy(logits, labels, label_smoothing=0.1)
print('/* Written by engine.py with PyTorch %s. */' % torch.__version__)
table('reference_losses', [loss, smooth])
table('reference_logits', logits.detach().view(-1))
table('reference_gradient', torch.cat([p.grad.view(-1) for p in parameters]))
table('reference_input_gradient', x.grad.view(-1))  # [N,C,H,W]
table('reference_states', torch.cat([net[1].running_mean, net[1].running_var, net[4].running_mean, net[4].running_var]))
net.eval()
table('reference_evaluation', net(x).detach().view(-1))
