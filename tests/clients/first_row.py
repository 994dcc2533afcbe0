"""How long Python waits for a first row: from connecting, and on a connection that is open. Run by the bench.

Usage: first_row.py HOST:PORT CA_FILE TOKEN_FILE RUNS SQL
"""

import statistics
import sys
import time
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions


def main():
    address, ca, token, runs, sql = sys.argv[1:]
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: Path(ca).read_text(),
        DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + Path(token).read_text().strip(),
    }
    first, again = [], []
    for _ in range(int(runs) + 2):
        started = time.perf_counter()
        with flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                assert cursor.fetchone() is not None
            connected = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.execute(sql)
                assert cursor.fetchone() is not None
            again.append((time.perf_counter() - connected) * 1000)
        first.append((connected - started) * 1000)
    print(f"{statistics.median(first[2:]):.1f}; {statistics.median(again[2:]):.1f}")


main()
