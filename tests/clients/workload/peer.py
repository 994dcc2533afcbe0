"""A peer of the bench's workload: answers a line of JSON with a line of JSON until its input ends.

Usage: peer.py duckdb|duckdb-memory|postgres|postgres-expert|clickhouse DATA_FOLDER BUILD_FOLDER SCALE

Everything it installs, loads and starts lies below BUILD_FOLDER; servers listen on 127.0.0.1 and stop when the input ends.

  {"ask": SQL}                                       {"rows": [[text]], "wall_ms": …, "cpu_s": …}
  {"throughput": SQL, "clients": N, "seconds": S}    {"per_second": …}
  {"memory": true}                                   {"mib": …}
  anything that goes wrong                           {"error": sentence}
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

PACKAGES = ["duckdb>=1.4", "psycopg[binary]>=3.2"]


def environment(base):
    """Goes on in a virtual environment with what is needed."""
    folder = base / "venv"
    python = folder / "bin/python"
    if Path(sys.prefix) == folder:
        return
    done = folder / "installed"
    if not done.exists() or done.read_text() != " ".join(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, stdout=sys.stderr)
        pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        done.write_text(" ".join(PACKAGES))
    os.execv(python, [str(python), "-B", *sys.argv])


def answer(peer, ask, request):
    if "ask" in request:
        cpu, started = time.process_time() + peer.cpu(), time.perf_counter()
        rows = ask(request["ask"])
        wall = time.perf_counter() - started
        cpu = time.process_time() + peer.cpu() - cpu
        rows = [["" if cell is None else str(cell) for cell in row] for row in rows]
        return {"rows": rows, "wall_ms": wall * 1000, "cpu_s": cpu}
    if "throughput" in request:
        return {"per_second": throughput(peer, request["throughput"], request["clients"], request["seconds"])}
    return {"mib": sum(pss(pid) for pid in [os.getpid(), *peer.processes()])}


def throughput(peer, sql, clients, seconds):
    asks = [peer.client() for _ in range(clients)]
    for ask in asks:
        ask(sql)
    answers, problems = [0] * clients, []
    started = time.perf_counter()

    def run(place):
        try:
            while time.perf_counter() - started < seconds:
                asks[place](sql)
                answers[place] += 1
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=[place]) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return sum(answers) / (time.perf_counter() - started)


def pss(pid):
    """MiB of a process, shared pages divided among those that share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main():
    kind, data, base, scale = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    base.mkdir(parents=True, exist_ok=True)
    environment(base)
    # Whatever a server prints is not an answer.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        output.write(json.dumps(message) + "\n")
        output.flush()

    peer = None
    try:
        if kind in ("duckdb", "duckdb-memory"):
            from duckdb_peer import DuckDb

            peer = DuckDb(data, memory=kind.endswith("memory"))
        elif kind in ("postgres", "postgres-expert"):
            from postgres_peer import Postgres

            peer = Postgres(data, base, scale, expert=kind.endswith("expert"))
        else:
            from clickhouse_peer import ClickHouse

            peer = ClickHouse(data, base, scale)
        peer.start()
        ask = peer.client()
        say({"ready": kind})
        for line in sys.stdin:
            try:
                say(answer(peer, ask, json.loads(line)))
            except Exception as error:
                say({"error": " ".join(str(error).split())[:500]})
    except Exception as error:
        say({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"})
    finally:
        if peer:
            peer.stop()


main()
