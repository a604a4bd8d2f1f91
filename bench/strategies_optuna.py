#!/usr/bin/python3
"""Our strategies beside Optuna's samplers on one recorded table: regret after a budget of evaluations, and the processor
time of one ask and tell.

  bench/strategies_optuna.py --csv nb201.csv.gz --db nb201.db [--runs 100] [--budget 150] [--json]

Both see the same 12-epoch validation accuracies of cifar10-valid; Optuna gets the six edges as categorical choices.
"""
import argparse
import csv
import gzip
import json
import statistics
import subprocess
import time

OPS = ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3']
OURS = 'random:unique=false:repeats=true,random,tpe,local-search,gp'


def read_table(path, column):
    with gzip.open(path, 'rt', newline='') as lines:
        return {row['arch']: float(row[column]) for row in csv.DictReader(lines)}


def arch_of(e):
    return f'|{e[0]}~0|+|{e[1]}~0|{e[2]}~1|+|{e[3]}~0|{e[4]}~1|{e[5]}~2|'


def optuna_runs(table, name, runs, budget, first_seed):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best, regrets, spent = max(table.values()), [], 0.0
    for seed in range(first_seed, first_seed + runs):
        sampler = getattr(optuna.samplers, name)(seed=seed)
        study = optuna.create_study(direction='maximize', sampler=sampler)
        start = time.process_time()
        for _ in range(budget):
            trial = study.ask()
            edges = [trial.suggest_categorical(f'edge{i}', OPS) for i in range(6)]
            study.tell(trial, table[arch_of(edges)])
        spent += time.process_time() - start
        regrets.append(best - study.best_value)
    return {'name': f'optuna {name}', 'regrets': regrets, 'seconds': spent / (runs * budget)}


def our_runs(a):
    out = subprocess.run([a.nascent, 'replay', a.db, '--strategy', OURS, '--dataset', 'cifar10-valid', '--search-epochs',
                          '12', '--report-epochs', '12', '--budget', str(a.budget), '--runs', str(a.runs), '--seed',
                          str(a.seed), '--json', '-q'], check=True, capture_output=True, text=True).stdout
    replay = json.loads(out)
    names = {s['strategy'].split('@')[0] for s in replay['strategies']}
    out = subprocess.run([a.bench, '--json', '-t', '20', '-n', str(a.budget), *names], check=True, capture_output=True,
                         text=True).stdout
    cost = {r['strategy']: r['seconds'] for r in json.loads(out)['rows']}
    for s in replay['strategies']:
        spread = s['valid_std'] / a.runs ** 0.5
        yield {'name': s['name'], 'regret': s['valid_regret_mean'], 'error': spread, 'seconds': cost[s['strategy'].split('@')[0]]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--csv', required=True)
    p.add_argument('--db', required=True)
    p.add_argument('--column', default='c10_valid_acc_12')
    p.add_argument('--nascent', default='build/release/bin/nascent')
    p.add_argument('--bench', default='build/release/bin/bench-strategies')
    p.add_argument('--runs', type=int, default=100)
    p.add_argument('--budget', type=int, default=150)
    p.add_argument('--seed', type=int, default=1000)
    p.add_argument('--json', action='store_true')
    a = p.parse_args()
    rows = list(our_runs(a))
    table = read_table(a.csv, a.column)
    for name in ('RandomSampler', 'TPESampler'):
        r = optuna_runs(table, name, a.runs, a.budget, a.seed)
        rows.append({'name': r['name'], 'regret': statistics.mean(r['regrets']),
                     'error': statistics.stdev(r['regrets']) / a.runs ** 0.5, 'seconds': r['seconds']})
    if a.json:
        print(json.dumps({'schema': 'nascent.bench-strategies-peer', 'runs': a.runs, 'budget': a.budget, 'rows': rows}))
        return
    print(f'{a.runs} runs of {a.budget} evaluations; seconds: one ask and tell, mean over a run')
    for r in rows:
        print(f"{r['name']:34s} regret {r['regret']:.3f} +- {r['error']:.3f}  {1e6 * r['seconds']:10.2f} us")


main()
