"""The files of the workload, and what several peers need to know of them."""

import subprocess
import time
from pathlib import Path

import duckdb

NODES = 33
TABLES = ["lineitem", "orders", "customer", "reading"]
REFERENCES = ["part", "supplier", "nation"]


def file(data, node, table):
    return data / f"borough-{node:02}/data/{table}.parquet"


def reference(data, table):
    return data / f"public/{table}.parquet"


def columns(path):
    """Names and DuckDB's types."""
    described = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    return [(name, kind) for name, kind, *_ in described]


def csv(path, target, first=None):
    """Writes the rows as CSV without a header, `first` as a column before the others."""
    column = "" if first is None else f"{first} AS node, "
    duckdb.sql(f"COPY (SELECT {column}* FROM read_parquet('{path}')) TO '{target}' (HEADER false)")


def cpu(pid):
    """Seconds a process has had, all its threads; to the nanosecond, by Linux's clock of that process."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def run(*command, **how):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **how)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout
