#!/usr/bin/python3
"""Golden files of other sizes, options and seeds than anybody tuned for: each formula written down with PyTorch in
double precision, gradients by its autograd. Writes NAME.SIZES.json beside this script."""
import json, os, torch

torch.set_default_dtype(torch.float64)
here = os.path.dirname(os.path.abspath(__file__))
silu = lambda x: x * torch.sigmoid(x)


def numbers(t):
    return t.detach().numpy().tolist()


def random(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape) * scale + shift).mul(1e3).round().div(1e3).requires_grad_()


def write(name, tag, seed, inputs, params, formula, **config):
    """inputs, params: name -> tensor; formula(dict of both) -> y"""
    both = {**inputs, **params}
    y = formula(both)
    loss_w = torch.randn(y.shape).mul(1e3).round().div(1e3)
    loss = (loss_w * y).sum()
    loss.backward()
    zero = lambda t: torch.zeros_like(t) if t.grad is None else t.grad
    shapes = {k: list(v.shape) for k, v in both.items()}
    shapes['y'] = list(y.shape)
    with open(os.path.join(here, '%s.%s.json' % (name, tag)), 'w') as f:
        json.dump({'name': name, 'seed': seed, 'config': config, 'shapes': shapes,
                   'inputs': {k: numbers(v) for k, v in inputs.items()},
                   'params': {k: numbers(v) for k, v in params.items()},
                   'loss_w': numbers(loss_w), 'loss': float(loss.detach()), 'outputs': {'y': numbers(y)},
                   'grads': {k: numbers(zero(v)) for k, v in both.items()}}, f, separators=(',', ':'))
        f.write('\n')


def made(seed):
    torch.manual_seed(seed)
    return seed


def aptx(t):
    x = t['x'].unsqueeze(1)
    return ((t['alpha'] + torch.tanh(t['beta'] * x)) * t['gamma'] * x).sum(-1) + t['delta']


s = made(11)
write('linear', '2x7to5', s, {'x': random(2, 7)}, {'W': random(5, 7), 'b': random(5)}, lambda t: t['x'] @ t['W'].T + t['b'])
s = made(12)
write('aptx', '5x19to3', s, {'x': random(5, 19)}, {'alpha': random(3, 19), 'beta': random(3, 19), 'gamma': random(3, 19), 'delta': random(3)}, aptx)
s = made(13)
write('aptx_activation', '2x3', s, {'x': random(2, 3)}, {'alpha': random(1), 'beta': random(1), 'gamma': random(1)},
      lambda t: (t['alpha'] + torch.tanh(t['beta'] * t['x'])) * t['gamma'] * t['x'])
s = made(14)
q = lambda: {'wr': random(2, 6), 'br': random(2), 'wg': random(2, 6), 'bg': random(2), 'wb': random(2, 6), 'c': random(2)}
write('quadratic', '4x6to2', s, {'x': random(4, 6)}, q(),
      lambda t: (t['x'] @ t['wr'].T + t['br']) * (t['x'] @ t['wg'].T + t['bg']) + t['x'] ** 2 @ t['wb'].T + t['c'])
s = made(15)
powers = lambda x, Q: torch.cat([x ** q for q in range(1, Q + 1)], 1)
write('selfonn', '2x3to4-Q5', s, {'x': random(2, 3, scale=0.6)}, {'W': random(4, 15), 'b': random(4)},
      lambda t: powers(t['x'], 5) @ t['W'].T + t['b'], Q=5)
s = made(16)
write('selfonn_conv', '1x3x5to2-Q2-k5', s, {'x': random(1, 3, 5, 5, scale=0.6)}, {'W': random(2, 6, 5, 5), 'b': random(2)},
      lambda t: torch.nn.functional.conv2d(powers(t['x'], 2), t['W'], t['b'], padding=2), Q=2)


def pade(kind):
    def f(t):
        p = torch.stack([t['x'] ** (k + 1) @ w for k, w in enumerate(t['wm'])])
        q = torch.stack([t['x'] ** (k + 1) @ w for k, w in enumerate(t['wn'])])
        if kind == 'a': return (t['w0'] + p.sum(0)) / (1 + q.abs().sum(0))
        if kind == 'b': return (t['w0'] + p.sum(0)) / (1 + q.sum(0).abs())
        P, Q, P1, Q1 = t['w0'] + p.sum(0), 1 + q.sum(0), t['w0'] + p[:-1].sum(0), 1 + q[:-1].sum(0)
        return (Q * P + Q1 * P1) / (Q * Q + Q1 * Q1)
    return f


for seed, kind, m, n in ((17, 'a', 3, 1), (18, 'b', 1, 4), (19, 's', 2, 3), (20, 's', 4, 1)):
    s = made(seed)
    write('pade_%s%d%d' % (kind, m, n), '5x6to2', s, {'x': random(5, 6)}, {'w0': random(2), 'wm': random(m, 6, 2), 'wn': random(n, 6, 2)},
          pade(kind), kind=kind, M=m, N=n)


def pau(version):
    def f(t):
        x, q = t['x'], torch.stack([b * t['x'] ** (k + 1) for k, b in enumerate(t['b'])])
        p = sum(a * x ** k for k, a in enumerate(t['a']))
        return p / (1 + (q.abs().sum(0) if version == 'A' else q.sum(0).abs()))
    return f


for seed, v in ((21, 'A'), (22, 'B')):
    s = made(seed)
    write('pau_' + v.lower(), '2x5-32', s, {'x': random(2, 5)}, {'a': random(4), 'b': random(2)}, pau(v), version=v, degrees=[3, 2])


def splines(x, grid, k, low, high):
    h = (high - low) / grid
    g = low + h * torch.arange(-k, grid + k + 1)
    x = x.unsqueeze(-1)
    b = ((x >= g[:-1]) & (x < g[1:])).to(x.dtype)
    for d in range(1, k + 1):
        b = (x - g[:-d - 1]) / (g[d:-1] - g[:-d - 1]) * b[..., :-1] + (g[d + 1:] - x) / (g[d + 1:] - g[1:-d]) * b[..., 1:]
    return b


for seed, grid, k, low, high in ((23, 4, 2, -2, 3), (24, 9, 4, -1, 1)):
    s = made(seed)
    h = (high - low) / grid
    write('kan_bspline', '6x5to2-G%dk%d' % (grid, k), s, {'x': random(6, 5)},
          {'base_w': random(2, 5), 'spline_w': random(2, 5, grid + k), 'spline_scale': random(2, 5)},
          lambda t: silu(t['x']) @ t['base_w'].T
          + torch.einsum('bij,oij->bo', splines(t['x'], grid, k, low, high), t['spline_w'] * t['spline_scale'].unsqueeze(-1)),
          grid=grid, order=k, knots=[low + h * (m - k) for m in range(grid + 2 * k + 1)])


def rbf(t, grids, norm):
    u, h = t['x'], 4 / (grids - 1)
    if norm:
        d = u - u.mean(1, keepdim=True)
        u = d / torch.sqrt((d * d).mean(1, keepdim=True) + 1e-5) * t['ln_g'] + t['ln_b']
    b = torch.exp(-((u.unsqueeze(-1) - torch.linspace(-2, 2, grids)) / h) ** 2)
    return b.flatten(1) @ t['spline_w'].T + silu(t['x']) @ t['base_w'].T + t['base_b']


s = made(25)
write('kan_rbf', '4x3to5-5', s, {'x': random(4, 3)}, {'spline_w': random(5, 15), 'base_w': random(5, 3), 'base_b': random(5)},
      lambda t: rbf(t, 5, False), num_grids=5)
s = made(26)
write('kan_rbf_ln', '2x6to3-3', s, {'x': random(2, 6)},
      {'spline_w': random(3, 18), 'base_w': random(3, 6), 'base_b': random(3), 'ln_g': random(6), 'ln_b': random(6)},
      lambda t: rbf(t, 3, True), num_grids=3)
s = made(27)
write('kan_cheby', '4x2to3-D7', s, {'x': random(4, 2)}, {'coef': random(2, 3, 8)},
      lambda t: torch.einsum('bid,iod->bo', torch.cos(torch.acos(torch.tanh(t['x'])).unsqueeze(-1) * torch.arange(8)), t['coef']), degree=7)
s = made(28)
write('rbf_iso', '2x7to3', s, {'x': random(2, 7)}, {'c': random(3, 7), 's': random(3, shift=3)},
      lambda t: torch.exp(-((t['x'].unsqueeze(1) - t['c']) ** 2).sum(-1) / (2 * t['s'] ** 2)))
s = made(29)
write('rbf_diag', '3x3to2', s, {'x': random(3, 3)}, {'c': random(2, 3), 's': random(2, 3, shift=3)},
      lambda t: torch.exp(-0.5 * (((t['x'].unsqueeze(1) - t['c']) / t['s']) ** 2).sum(-1)))
s = made(30)
write('rbf_full', '2x3to4', s, {'x': random(2, 3)}, {'c': random(4, 3), 'L': random(4, 3, 3, scale=0.5)},
      lambda t: torch.exp(-0.5 * (torch.einsum('jki,bji->bjk', t['L'], t['x'].unsqueeze(1) - t['c']) ** 2).sum(-1)))
s = made(31)
positive = lambda *n: random(*n, scale=0.2, shift=1.2)
mean = lambda t, p: (t['w'].unsqueeze(-1) * t['x'].unsqueeze(1).unsqueeze(-1) ** p).sum(2)
write('lehmer', '2x5to3x2', s, {'x': positive(2, 5)}, {'w': positive(3, 5), 'p': random(2)}, lambda t: mean(t, t['p']) / mean(t, t['p'] - 1))
s = made(32)
write('gini', '3x3to2x2', s, {'x': positive(3, 3)}, {'w': positive(2, 3), 'p': random(2), 'q': random(2, shift=3)},
      lambda t: (mean(t, t['p']) / mean(t, t['q'])) ** (1 / (t['p'] - t['q'])))


def oscillate(x, c, couple, omg, gamma, n, T):
    """x, c: [..., channels]; omg [pairs][2] or [2]"""
    unit = lambda v: (lambda g: (g / g.norm(dim=-1, keepdim=True).clamp_min(1e-12)).flatten(-2))(v.unflatten(-1, (-1, n)))
    x = unit(x)
    for _ in range(T):
        y = c + couple(x)
        dot = (x.unflatten(-1, (-1, n)) * y.unflatten(-1, (-1, n))).sum(-1, keepdim=True)
        along = (dot * x.unflatten(-1, (-1, n))).flatten(-2)
        pair, w = x.unflatten(-1, (-1, 2)), omg.norm(dim=-1)
        turn = torch.stack([w * pair[..., 1], -w * pair[..., 0]], -1).flatten(-2)
        x = unit(x + gamma * (turn + y - along))
    return x


s = made(33)
write('kuramoto', '3x6-n2T5', s, {'x0': random(3, 6), 'c': random(3, 6)},
      {'J': random(6, 6, scale=0.3), 'jb': random(6), 'omg': random(3, 2), 'gamma': random(1, scale=0.1, shift=0.7)},
      lambda t: oscillate(t['x0'], t['c'], lambda x: x @ t['J'].T + t['jb'], t['omg'], t['gamma'], 2, 5), n=2, T=5)


def kuramoto_conv(t, n, T):
    B, C, H, W = t['x0'].shape
    c = torch.nn.functional.group_norm(t['c'], C // n, t['gn_g'], t['gn_b'], 1e-5)
    last, first = lambda v: v.permute(0, 2, 3, 1), lambda v: v.permute(0, 3, 1, 2)
    couple = lambda x: last(torch.nn.functional.conv2d(first(x), t['K'], t['kb'], padding=t['K'].shape[2] // 2))
    return first(oscillate(last(t['x0']), last(c), couple, t['omg'], t['gamma'], n, T))


s = made(34)
write('kuramoto_conv', '1x4x4x3-n4k1T3', s, {'x0': random(1, 4, 4, 3), 'c': random(1, 4, 4, 3)},
      {'K': random(4, 4, 1, 1, scale=0.5), 'kb': random(4), 'omg': random(2), 'gamma': random(1, shift=1), 'gn_g': random(4), 'gn_b': random(4)},
      lambda t: kuramoto_conv(t, 4, 3), n=4, T=3)
s = made(35)
write('kuramoto_readout', '2x5to4N3', s, {'x': random(2, 5)}, {'U': random(12, 5), 'u0': random(12), 'b': random(4)},
      lambda t: (t['x'] @ t['U'].T + t['u0']).view(2, 4, 3).norm(dim=-1) + t['b'], N=3)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, alpha):
        ctx.save_for_backward(h)
        ctx.alpha = alpha
        return (h >= 1).to(h.dtype)

    @staticmethod
    def backward(ctx, g):
        h, = ctx.saved_tensors
        return g * ctx.alpha / 2 / (1 + (torch.pi / 2 * ctx.alpha * (h - 1)) ** 2), None


def lif(t, tau, alpha, hard):
    v, out = torch.zeros_like(t['x'][0]), []
    for x in t['x']:
        h = v + (x - v) / tau
        spike = Spike.apply(h, alpha)
        v = h * (1 - spike) if hard else h - spike
        out.append(spike)
    return torch.stack(out)


for seed, hard in ((36, True), (37, False)):
    s = made(seed)
    write('lif_' + ('hard' if hard else 'soft'), '7x3x2', s, {'x': random(7, 3, 2, scale=2, shift=1)}, {},
          lambda t: lif(t, 3.0, 1.5, hard), T=7, tau=3.0, alpha=1.5)


def ltc(t, unfolds):
    act = lambda v, w, sigma, mu: w * torch.sigmoid(sigma * (v.unsqueeze(-1) - mu))
    sensory, v = act(t['x'], t['sw'], t['ssigma'], t['smu']), t['v0']
    for _ in range(unfolds):
        a = act(v, t['w'], t['sigma'], t['mu'])
        above = t['cm'] * unfolds * v + t['gleak'] * t['vleak'] + (a * t['erev']).sum(1) + (sensory * t['serev']).sum(1)
        v = above / (t['cm'] * unfolds + t['gleak'] + a.sum(1) + sensory.sum(1) + 1e-8)
    return v


s = made(38)
write('ltc', '3x2to3-4', s, {'x': random(3, 2), 'v0': random(3, 3)},
      {'gleak': positive(3), 'vleak': random(3), 'cm': positive(3), 'w': positive(3, 3), 'sigma': random(3, 3, shift=3), 'mu': random(3, 3),
       'erev': random(3, 3), 'sw': positive(2, 3), 'ssigma': random(2, 3, shift=3), 'smu': random(2, 3), 'serev': random(2, 3)},
      lambda t: ltc(t, 4), unfolds=4)


def smartmixed(t, noise, tau, hard):
    p = torch.softmax((t['logits'] + noise) / tau, -1)
    if hard: p = torch.nn.functional.one_hot(p.argmax(-1), 6) - p.detach() + p
    x, f = t['x'], torch.nn.functional
    acts = torch.stack([f.relu(x), torch.sigmoid(x), torch.tanh(x), f.leaky_relu(x, 0.01), f.elu(x), f.selu(x)], -1)
    return (p * acts).sum(-1)


for seed, hard in ((39, True), (40, False)):
    s = made(seed)
    noise = random(3, 6).detach()
    write('smartmixed_' + ('hard' if hard else 'soft'), '2x3', s, {'x': random(2, 3)}, {'logits': random(3, 6)},
          lambda t: smartmixed(t, noise, 0.8, hard), tau=0.8, gumbel=numbers(noise))


def sk(t):
    f = torch.nn.functional
    u1, u2 = f.relu(f.conv2d(t['x'], t['k1'], padding=1)), f.relu(f.conv2d(t['x'], t['k2'], padding=2, dilation=2))
    z = f.relu((u1 + u2).mean((2, 3)) @ t['wr'].T)
    a = torch.softmax((z @ t['ws'].T).view(len(z), 2, -1), 1)
    return a[:, 0, :, None, None] * u1 + a[:, 1, :, None, None] * u2


s = made(41)
write('sk', '2x1x5to2-d4', s, {'x': random(2, 1, 5, 3)}, {'k1': random(2, 1, 3, 3), 'k2': random(2, 1, 3, 3), 'wr': random(4, 2), 'ws': random(4, 4)}, sk)
