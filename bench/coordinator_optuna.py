"""The peer of bench/coordinator: Optuna with its SQLite storage, one process, as its documentation has it.

  python3 bench/coordinator_optuna.py --trials T [--folder DIR]
"""
import argparse
import json
import os
import tempfile
import time

import optuna

OPS = ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3']


def evaluate(trial):
    edges = [trial.suggest_categorical(f'edge{i}', OPS) for i in range(6)]
    return (hash(tuple(edges)) % 10000) / 100


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--trials', type=int, default=60)
    p.add_argument('--folder', default=tempfile.gettempdir())
    a = p.parse_args()
    path = os.path.join(a.folder, 'optuna.db')
    if os.path.exists(path):
        os.unlink(path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage='sqlite:///' + path, sampler=optuna.samplers.RandomSampler(1))
    begin = time.monotonic()
    study.optimize(evaluate, n_trials=a.trials)
    print(json.dumps({'seconds': time.monotonic() - begin}))


main()
