#!/usr/bin/env python3
"""A small real training job: a tabular Q-learning agent trades a synthetic price series.

It knows nothing of Signalbox. It writes what such programs write: training_log.csv, one row a step, and
replay_buffer_debug.log with the standard logging module, tracebacks included. Python 3.9 or newer, no packages.
"""

import argparse
import csv
import logging
import math
import os
import random
import signal
import sys
import time

COLUMNS = ["episode", "step", "action", "reward", "balance", "shares_held", "current_price", "portfolio_value",
           "current_position"]
FLAT, LONG, SHORT = 0, 1, 2
FEE = 0.001
START_BALANCE = 10_000.0


class Market:
    """A price with drift, momentum and quiet and wild days."""

    def __init__(self, rng):
        self.rng = rng
        self.price = rng.uniform(220.0, 320.0)
        self.momentum = 0.0
        self.volatility = 0.015

    def advance(self):
        self.volatility = min(0.04, max(0.006, self.volatility * math.exp(self.rng.gauss(0.0, 0.1))))
        self.momentum = 0.7 * self.momentum + self.rng.gauss(0.0, self.volatility)
        self.price *= math.exp(self.momentum - self.volatility ** 2 / 2)
        return self.price


class Account:
    """Cash and shares, long or short, all in; every trade costs a fee."""

    def __init__(self):
        self.balance = START_BALANCE
        self.shares = 0
        self.position = 0

    def value(self, price):
        return self.balance + self.shares * price

    def take(self, action, price):
        wanted = {FLAT: 0, LONG: 1, SHORT: -1}[action]
        if wanted == self.position:
            return
        self.trade(-self.shares, price)
        self.trade(wanted * int(max(self.balance, 0.0) / (price * (1 + FEE))), price)
        self.position = wanted

    def trade(self, shares, price):
        self.balance -= shares * price + abs(shares) * price * FEE
        self.shares += shares


class ReplayBuffer:
    """The last transitions. Sampling more than there are raises, as random.sample does."""

    def __init__(self, capacity, rng, log):
        self.items, self.capacity, self.rng, self.log = [], capacity, rng, log

    def add(self, item):
        if len(self.items) == self.capacity:
            self.items.pop(0)
        self.items.append(item)
        if len(self.items) % 50 == 0:
            self.log.info("ADD: Number of transitions in buffer: %d", len(self.items))

    def sample(self, count):
        self.log.info("SAMPLE: called with num_items=%d, kwargs={'n_step': 1, 'gamma': 0.9}", count)
        return self.rng.sample(self.items, count)


class Agent:
    """Q-learning over trend, size of the last move and position."""

    def __init__(self, rng):
        self.rng, self.table, self.epsilon = rng, {}, 1.0

    def values(self, state):
        return self.table.setdefault(state, [0.0, 0.0, 0.0])

    def act(self, state):
        if self.rng.random() < self.epsilon:
            return self.rng.choice([FLAT, LONG, SHORT])
        values = self.values(state)
        return values.index(max(values))

    def learn(self, batch, rate=0.2, discount=0.9):
        for state, action, reward, after in batch:
            values = self.values(state)
            values[action] += rate * (reward + discount * max(self.values(after)) - values[action])


def state_of(prices, position):
    if len(prices) < 6:
        return (0, 0, position)
    trend = prices[-1] / prices[-6] - 1
    move = prices[-1] / prices[-2] - 1
    return (round(max(-3, min(3, trend * 50))), round(max(-2, min(2, move * 60))), position)


def learn_from(buffer, agent, log, step):
    # The batch is larger than the young buffer: a real mistake of a real kind, caught and logged as such.
    count = 32 if step % 40 else 64
    try:
        agent.learn(buffer.sample(count))
    except ValueError as error:
        log.error("PATCH: Exception in _sample_transitions: %s", error, exc_info=True)


def run_episode(episode, options, rng, agent, log, writer, out, stopping):
    market, account, buffer = Market(rng), Account(), ReplayBuffer(500, rng, log)
    prices = [market.price]
    total, value = 0.0, account.value(market.price)
    log.info("PATCH: episode %d of %d started, epsilon %.3f", episode, options.episodes, agent.epsilon)
    for step in range(1, options.steps + 1):
        if stopping:
            return None
        state = state_of(prices, account.position)
        action = agent.act(state)
        price = market.advance()
        prices.append(price)
        account.take(action, price)
        previous, value = value, account.value(price)
        reward = value / previous - 1 if previous > 0 else 0.0
        total += reward
        buffer.add((state, action, reward, state_of(prices, account.position)))
        writer.writerow([episode, step, action, reward, account.balance, account.shares, price, value,
                         account.position])
        out.flush()
        if step % 10 == 0 and step >= 30:
            learn_from(buffer, agent, log, step)
        if options.delay > 0:
            time.sleep(options.delay)
    agent.epsilon = max(0.05, agent.epsilon * 0.8)
    return total, value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="steps of an episode")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds to wait after a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", default=".", help="where the two files are written")
    return parser.parse_args()


def main():
    options = parse_arguments()
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    os.makedirs(options.directory, exist_ok=True)
    rng = random.Random(options.seed)
    logging.basicConfig(filename=os.path.join(options.directory, "replay_buffer_debug.log"), level=logging.INFO,
                        format="%(asctime)s - %(levelname)s - %(message)s")
    log = logging.getLogger()
    agent = Agent(rng)
    with open(os.path.join(options.directory, "training_log.csv"), "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for episode in range(1, options.episodes + 1):
            ended = run_episode(episode, options, rng, agent, log, writer, out, stopping)
            if ended is None:
                log.info("PATCH: stopped by signal %d in episode %d", stopping[0], episode)
                print("stopped", flush=True)
                break
            total, value = ended
            log.info("PATCH: episode %d finished, total reward %.4f, portfolio %.2f", episode, total, value)
            print(f"Episode {episode}/{options.episodes}: total_reward={total:.4f} portfolio_value={value:.2f}",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
