"""The searches of bench-replay as a plain Python loop over a dictionary: FILE RUNS SECONDS."""
import collections
import random
import statistics
import sys
import time


def random_search(table, cells, rng, budget):
    clock, best, choice, n = 0.0, -1.0, None, 0
    seen = set()
    while clock < budget:
        cell = rng.choice(cells)
        if cell in seen:
            continue
        seen.add(cell)
        accuracy, cost, _, _ = table[cell]
        clock += cost
        n += 1
        if accuracy > best:
            best, choice = accuracy, cell
    return choice, n


def evolution(table, cells, rng, budget, population=10, sample=3):
    clock, best, choice, n = 0.0, -1.0, None, 0
    alive = collections.deque()
    while clock < budget:
        if n < population:
            cell = rng.choice(cells)
        else:
            parent = max((rng.choice(alive) for _ in range(sample)), key=lambda one: one[0])[1]
            edge = rng.randrange(len(parent))
            op = rng.choice([o for o in "01234" if o != parent[edge]])
            cell = parent[:edge] + op + parent[edge + 1:]
        accuracy, cost, _, _ = table[cell]
        clock += cost
        n += 1
        alive.append((accuracy, cell))
        if len(alive) > population:
            alive.popleft()
        if accuracy > best:
            best, choice = accuracy, cell
    return choice, n


def main():
    table = {}
    with open(sys.argv[1], encoding="ascii") as lines:
        for line in lines:
            cell, *figures = line.split()
            table[cell] = tuple(map(float, figures))
    cells, runs, budget = list(table), int(sys.argv[2]), float(sys.argv[3])
    for name, search in (("random", random_search), ("regularized-evolution", evolution)):
        start = time.process_time()
        ends = [search(table, cells, random.Random(seed), budget) for seed in range(runs)]
        took = time.process_time() - start
        valid = [table[choice][2] for choice, _ in ends]
        test = [table[choice][3] for choice, _ in ends]
        print(f"{'python ' + name:<28} {took:4.3f} s  {statistics.mean(n for _, n in ends):6.1f} evaluations"
              f"  valid {statistics.mean(valid):.2f} +- {statistics.stdev(valid):.2f}"
              f"  test {statistics.mean(test):.2f} +- {statistics.stdev(test):.2f}")


main()
