"""PostgreSQL with postgres_fdw: one server process, 33 databases that stand for the boroughs', and a database that sees them as foreign
servers over TCP. `natural_sql` has partitioned tables and postgres_fdw's defaults; `expert_sql` has remote estimates, large fetches and
asynchronous scans, and is asked one aggregate for every server by hand.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg
from files import NODES, REFERENCES, TABLES, columns, cpu, csv, file, reference, run

TYPES = {"INTEGER": "integer", "BIGINT": "bigint", "VARCHAR": "text", "DATE": "date", "TIMESTAMP": "timestamp", "DOUBLE": "double precision"}
KEYS = [
    "ALTER TABLE orders ADD PRIMARY KEY (o_orderkey)",
    "ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber)",
    "CREATE INDEX ON reading (ts)",
    "ALTER TABLE part ADD PRIMARY KEY (p_partkey)",
    "ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey)",
    "ALTER TABLE nation ADD PRIMARY KEY (n_nationkey)",
]
EXPERT = ", async_capable 'true', use_remote_estimate 'true', fetch_size '10000'"


class Postgres:
    def __init__(self, data, base, scale, expert):
        self.data, self.scale, self.expert = data, scale, expert
        self.folder = base / f"postgres-{scale:g}"
        self.cluster = self.folder / "cluster"
        self.owner = False
        # The server refuses to run as root.
        self.how = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}

    def start(self):
        self.bin = binaries()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.how:
            shutil.chown(self.folder, "nobody", "nogroup")
        loaded = self.folder / "loaded"
        if not loaded.exists():
            self.make()
        self.run_server()
        if not loaded.exists():
            self.load()
            loaded.touch()
        for hub in ("natural_sql", "expert_sql"):
            with self.connect(hub) as connection:
                for node in range(NODES):
                    connection.execute(f"ALTER SERVER s{node:02} OPTIONS (SET port '{self.port}')")

    def make(self):
        """A new cluster."""
        self.stop_left_over()
        shutil.rmtree(self.cluster, ignore_errors=True)
        run(self.bin / "initdb", "-D", self.cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", cwd="/", **self.how)
        buffers = max(128, int(4096 * min(self.scale, 1)))
        settings = f"""
shared_buffers = {buffers}MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_connections = 800
jit = off
fsync = off
max_wal_size = 4GB
timezone = 'UTC'
enable_partitionwise_join = on
enable_partitionwise_aggregate = on
"""
        with open(self.cluster / "postgresql.conf", "a") as conf:
            conf.write(settings)

    def run_server(self):
        """Starts the cluster, unless the other kind of this peer already has."""
        pid_file = self.cluster / "postmaster.pid"
        if pid_file.exists():
            lines = pid_file.read_text().split("\n")
            if len(lines) > 7 and Path(f"/proc/{lines[0]}").exists():
                self.postmaster, self.port = int(lines[0]), int(lines[3])
                return
            pid_file.unlink()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories=''"
        log = self.folder / "log"
        run(self.bin / "pg_ctl", "-D", self.cluster, "-l", log, "-o", options, "-w", "-t", "120", "start", cwd="/", **self.how)
        self.postmaster = int(pid_file.read_text().split("\n")[0])
        self.owner = True

    def stop_left_over(self):
        if (self.cluster / "postmaster.pid").exists():
            subprocess.run([self.bin / "pg_ctl", "-D", self.cluster, "-m", "immediate", "stop"], cwd="/", **self.how)

    def connect(self, database):
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True)

    def load(self):
        for node in range(NODES):
            self.load_node(node)
        for hub, options in (("natural_sql", ""), ("expert_sql", EXPERT)):
            with self.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {hub}")
            with self.connect(hub) as connection:
                self.load_hub(connection, options)

    def load_node(self, node):
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE n{node:02}")
        with self.connect(f"n{node:02}") as connection:
            for table in TABLES:
                self.table(connection, table, file(self.data, node, table), node)
            for table in REFERENCES:
                self.table(connection, table, reference(self.data, table))
            for key in KEYS:
                connection.execute(key)
            connection.execute("VACUUM ANALYZE")

    def table(self, connection, table, path, node=None):
        described = [f"{name} {kind(word)} NOT NULL" for name, word in columns(path)]
        if node is not None:
            described.insert(0, "node smallint NOT NULL")
        connection.execute(f"CREATE TABLE {table} ({', '.join(described)})")
        target = self.folder / "rows.csv"
        csv(path, target, node)
        target.chmod(0o644)
        connection.execute(f"COPY {table} FROM '{target}' (FORMAT csv)")
        target.unlink()

    def load_hub(self, connection, options):
        connection.execute("CREATE EXTENSION postgres_fdw")
        for node in range(NODES):
            name = f"n{node:02}"
            connection.execute(
                f"CREATE SERVER s{node:02} FOREIGN DATA WRAPPER postgres_fdw "
                f"OPTIONS (host '127.0.0.1', port '{self.port}', dbname '{name}'{options})"
            )
            connection.execute(f"CREATE USER MAPPING FOR postgres SERVER s{node:02} OPTIONS (user 'postgres')")
            connection.execute(f"CREATE SCHEMA {name}")
            connection.execute(f"IMPORT FOREIGN SCHEMA public FROM SERVER s{node:02} INTO {name}")
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} (LIKE n00.{table}) PARTITION BY LIST (node)")
            for node in range(NODES):
                connection.execute(f"ALTER TABLE {table} ATTACH PARTITION n{node:02}.{table} FOR VALUES IN ({node})")
        for table in REFERENCES:
            self.table(connection, table, reference(self.data, table))
        connection.execute(" ; ".join(KEYS[3:]))
        connection.execute(f"ANALYZE {', '.join(REFERENCES)}")

    def client(self):
        connection = self.connect("expert_sql" if self.expert else "natural_sql")
        return lambda sql: connection.execute(sql).fetchall()

    def processes(self):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.postmaster)], capture_output=True, text=True)
        return [self.postmaster, *map(int, children.stdout.split())]

    def cpu(self):
        # Parallel workers end with their question: what the postmaster's ended children had is in its own record, in ticks.
        after_name = Path(f"/proc/{self.postmaster}/stat").read_text().rsplit(")", 1)[1].split()
        ended = sum(map(int, after_name[13:15])) / os.sysconf("SC_CLK_TCK")
        return ended + sum(map(cpu, self.processes()))

    def stop(self):
        if self.owner:
            run(self.bin / "pg_ctl", "-D", self.cluster, "-m", "fast", "-w", "stop", cwd="/", **self.how)


def kind(word):
    return word.replace("DECIMAL", "numeric") if word.startswith("DECIMAL") else TYPES[word]


def binaries():
    """Where PostgreSQL's programs are; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "pg_ctl").exists():
            return folder
    raise RuntimeError("no initdb and pg_ctl: install PostgreSQL 15 or later with postgres_fdw (Debian: postgresql)")
