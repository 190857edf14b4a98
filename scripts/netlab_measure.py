"""Rank i sends to rank i + 1, all at once, and reports what its own receiver saw. Run by netlab.sh measure."""

import os
import socket
import threading
import time

PORT = 29600
MESSAGE = bytes(1 << 20)
SECONDS = 3.0
SKIP = 0.5  # the shaper's first burst passes unshaped


def receive(server, result):
    connection, _ = server.accept()
    total, start = 0, None
    opened = time.monotonic()
    while data := connection.recv(1 << 20):
        now = time.monotonic()
        if start is None and now - opened > SKIP:
            start = now
        elif start is not None:
            total += len(data)
    result.append(total * 8e-9 / (now - start))


def connect(address):
    for _ in range(100):
        try:
            return socket.create_connection((address, PORT), timeout=1)
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"no answer from {address}")


def main():
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    prefix, first = os.environ["MASTER_ADDR"].rsplit(".", 1)
    server = socket.create_server(("", PORT))
    result = []
    receiver = threading.Thread(target=receive, args=(server, result))
    receiver.start()
    out = connect(f"{prefix}.{int(first) + (rank + 1) % size}")
    out.settimeout(None)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        out.sendall(MESSAGE)
    out.shutdown(socket.SHUT_WR)
    receiver.join()
    print(f"host {rank}: {result[0]:.3f} Gbit/s in, payload", flush=True)


main()
