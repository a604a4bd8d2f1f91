"""The peer of bench/coordinator: a search with mpi4py.futures that keeps a table as durable as ours.

  mpirun -n N python3 -m mpi4py.futures bench/coordinator_mpi4py.py --trials T [--ahead A] [--no-table]

A row is inserted for each call before it is submitted and completed with the result before the next call; what has
come in by the time of a commit shares it. WAL and synchronous=FULL, as nascent has them.
"""
import argparse
import concurrent.futures
import json
import os
import random
import sqlite3
import tempfile
import time

OPS = ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3']


def evaluate(number, arch):
    return number, (hash(arch) % 10000) / 100


def propose(number):
    e = random.Random(number).choices(OPS, k=6)
    return f'|{e[0]}~0|+|{e[1]}~0|{e[2]}~1|+|{e[3]}~0|{e[4]}~1|{e[5]}~2|'


def without_table(pool, trials):
    for _ in pool.map(evaluate, range(trials), map(propose, range(trials))):
        pass


def with_table(pool, trials, workers, ahead, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute('PRAGMA locking_mode = EXCLUSIVE')
    db.execute('PRAGMA journal_mode = WAL')
    db.execute('PRAGMA synchronous = FULL')
    db.execute('CREATE TABLE trial (number INTEGER PRIMARY KEY, arch TEXT NOT NULL, asked REAL, told REAL, accuracy REAL)')
    running, asked, done = set(), 0, []
    while asked < trials or running:
        asks = [(n, propose(n)) for n in range(asked, min(trials, asked + workers * (1 + ahead) - len(running)))]
        db.execute('BEGIN IMMEDIATE')
        db.executemany('UPDATE trial SET told = ?, accuracy = ? WHERE number = ?', [(time.time(), v, n) for n, v in done])
        db.executemany('INSERT INTO trial (number, arch, asked) VALUES (?, ?, ?)', [(n, a, time.time()) for n, a in asks])
        db.execute('COMMIT')
        running.update(pool.submit(evaluate, n, a) for n, a in asks)
        asked += len(asks)
        finished, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
        done = [f.result() for f in finished]
        if not running and asked == trials:
            db.executemany('UPDATE trial SET told = ?, accuracy = ? WHERE number = ?', [(time.time(), v, n) for n, v in done])
    rows = db.execute('SELECT count(*) FROM trial WHERE told IS NOT NULL').fetchone()[0]
    if rows != trials:
        raise SystemExit(f'{rows} rows of {trials}')


def main():
    from mpi4py import MPI
    from mpi4py.futures import MPIPoolExecutor
    p = argparse.ArgumentParser()
    p.add_argument('--trials', type=int, default=1000)
    p.add_argument('--ahead', type=int, default=0)
    p.add_argument('--folder', default=tempfile.gettempdir())
    p.add_argument('--no-table', action='store_true')
    a = p.parse_args()
    workers = max(1, MPI.COMM_WORLD.Get_size() - 1)
    path = os.path.join(a.folder, 'mpi4py.db')
    for suffix in ('', '-wal', '-journal'):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    with MPIPoolExecutor() as pool:
        list(pool.map(evaluate, range(workers), map(propose, range(workers))))  # all are up
        begin = time.monotonic()
        if a.no_table:
            without_table(pool, a.trials)
        else:
            with_table(pool, a.trials, workers, a.ahead, path)
        print(json.dumps({'seconds': time.monotonic() - begin}))


if __name__ == '__main__':
    main()
