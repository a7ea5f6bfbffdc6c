#!/usr/bin/env python3
"""Tells Signalbox about a run from inside a program: one JSON object a line to the agent's socket."""
import json
import socket
import sys

class Signalbox:
    def __init__(self, path="/run/signalbox/agent.sock"):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)

    def tell(self, event, **fields):
        self.socket.sendall((json.dumps({"event": event, **fields}) + "\n").encode())

if __name__ == "__main__":
    box = Signalbox(*sys.argv[1:])
    box.tell("run_started", run="demo-1", framework="my-trainer", detail={"learning_rate": 3e-4})
    for episode in range(1, 4):
        box.tell("metric", run="demo-1", step=episode * 100, metrics={"loss": 1 / episode, "entropy": 0.7})
        box.tell("episode", run="demo-1", episode=episode, steps=100, reward=12.5 * episode)
    box.tell("run_ended", run="demo-1", state="completed")
