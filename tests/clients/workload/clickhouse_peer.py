"""33 ClickHouse servers and one that asks them through `Distributed` tables; Debian's packages, unpacked below the build folder."""

import http.client
import os
import shutil
import socket
import subprocess
import time

from files import NODES, REFERENCES, TABLES, columns, cpu, csv, file, reference, run

PACKAGES = ["clickhouse-server", "clickhouse-common"]
TYPES = {"INTEGER": "Int32", "BIGINT": "Int64", "VARCHAR": "String", "DATE": "Date", "TIMESTAMP": "DateTime", "DOUBLE": "Float64"}
ORDER = {"lineitem": "l_orderkey", "orders": "o_orderkey", "customer": "c_custkey", "reading": "ts", "part": "p_partkey", "supplier": "s_suppkey", "nation": "n_nationkey"}

USERS = """<yandex>
<profiles><default><max_memory_usage>8000000000</max_memory_usage></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default><interval><duration>3600</duration></interval></default></quotas>
</yandex>
"""


class ClickHouse:
    def __init__(self, data, base, scale):
        self.data, self.root = data, base / "clickhouse"
        self.folder = base / f"clickhouse-{scale:g}"
        self.servers = []

    def start(self):
        self.install()
        loaded = self.folder / "loaded"
        if not loaded.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.serve()
        if not loaded.exists():
            self.load()
            loaded.touch()

    def install(self):
        """Unpacks the packages and whatever of their libraries this machine does not have."""
        done = self.root / "unpacked"
        if done.exists():
            return
        shutil.rmtree(self.root, ignore_errors=True)
        packages = self.root / "packages"
        packages.mkdir(parents=True)
        plan = run("apt-get", "-s", "--no-install-recommends", "install", *PACKAGES)
        names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
        run("apt-get", "download", *names, cwd=packages)
        for package in packages.glob("*.deb"):
            run("dpkg", "-x", package, self.root)
        done.touch()

    def serve(self):
        """Starts all, the one that asks last; ports are whatever is free."""
        sockets = [[socket.socket() for _ in range(3)] for _ in range(NODES + 1)]
        for free in sum(sockets, []):
            free.bind(("127.0.0.1", 0))
        ports = [[free.getsockname()[1] for free in three] for three in sockets]
        for free in sum(sockets, []):
            free.close()
        shards = "".join(
            f"<shard><replica><host>127.0.0.1</host><port>{tcp}</port></replica></shard>" for tcp, _, _ in ports[:NODES]
        )
        libraries = [self.root / "usr/lib/x86_64-linux-gnu", self.root / "lib/x86_64-linux-gnu"]
        surroundings = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries)), "TZ": "UTC"}
        for number, (tcp, web, inter) in enumerate(ports):
            folder = self.folder / f"n{number:02}"
            folder.mkdir(exist_ok=True)
            (folder / "users.xml").write_text(USERS)
            (folder / "config.xml").write_text(config(folder, tcp, web, inter, shards))
            with open(folder / "out", "w") as out:
                command = [self.root / "usr/sbin/clickhouse-server", f"--config-file={folder / 'config.xml'}"]
                # In a group of its own: Ctrl-C at the bench reaches this script, which stops the servers.
                server = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=out, stderr=out, start_new_session=True)
            self.servers.append(server)
        self.web = [web for _, web, _ in ports]
        for number in range(NODES + 1):
            self.wait(number)

    def wait(self, number):
        for _ in range(1200):
            if self.servers[number].poll() is not None:
                text = (self.folder / f"n{number:02}/out").read_text()
                raise RuntimeError(f"server {number} ended: {text[-300:]}")
            try:
                return connect(self.web[number])("SELECT 1")
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        raise RuntimeError(f"server {number} does not answer")

    def load(self):
        target = self.folder / "rows.csv"
        for number in range(NODES + 1):
            say = connect(self.web[number])
            for table in TABLES:
                node = number if number < NODES else 0
                say(create(f"{table}_local", table, file(self.data, node, table)))
                if number < NODES:
                    csv(file(self.data, node, table), target)
                    say(f"INSERT INTO {table}_local FORMAT CSV\n".encode() + target.read_bytes())
                else:
                    say(f"CREATE TABLE {table} AS {table}_local ENGINE = Distributed(fed, default, {table}_local)")
            for table in REFERENCES:
                say(create(table, table, reference(self.data, table)))
                csv(reference(self.data, table), target)
                say(f"INSERT INTO {table} FORMAT CSV\n".encode() + target.read_bytes())
        target.unlink()

    def client(self):
        return connect(self.web[NODES])

    def processes(self):
        return [server.pid for server in self.servers]

    def cpu(self):
        return sum(map(cpu, self.processes()))

    def stop(self):
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()


def create(name, table, path):
    described = ", ".join(f"{column} {kind(word)}" for column, word in columns(path))
    return f"CREATE TABLE {name} ({described}) ENGINE = MergeTree ORDER BY {ORDER[table]}"


def kind(word):
    return word.replace("DECIMAL", "Decimal") if word.startswith("DECIMAL") else TYPES[word]


def connect(port):
    """Asks over one HTTP connection; rows as lists of texts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(sql):
        connection.request("POST", "/", sql if isinstance(sql, bytes) else sql.encode())
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise RuntimeError(text)
        return [line.split("\t") for line in text.splitlines()]

    return ask


def config(folder, tcp, web, inter, shards):
    return f"""<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<listen_host>127.0.0.1</listen_host><tcp_port>{tcp}</tcp_port><http_port>{web}</http_port>
<interserver_http_port>{inter}</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><format_schema_path>{folder}/schemas/</format_schema_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<timezone>UTC</timezone><mark_cache_size>536870912</mark_cache_size><max_concurrent_queries>200</max_concurrent_queries>
<remote_servers><fed>{shards}</fed></remote_servers>
</yandex>
"""
