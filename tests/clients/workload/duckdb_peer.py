"""DuckDB in this process: over the same Parquet files, or with all rows in memory."""

import duckdb

from files import REFERENCES, TABLES, reference


class DuckDb:
    def __init__(self, data, memory):
        self.data, self.what = data, "TABLE" if memory else "VIEW"

    def start(self):
        self.connection = duckdb.connect()
        views = {table: self.data / f"*/data/{table}.parquet" for table in TABLES}
        views |= {table: reference(self.data, table) for table in REFERENCES}
        for table, path in views.items():
            self.connection.execute(f"CREATE {self.what} {table} AS SELECT * FROM read_parquet('{path}')")

    def client(self):
        cursor = self.connection.cursor()
        return lambda sql: cursor.execute(sql).fetchall()

    def cpu(self):
        return 0.0

    def processes(self):
        return []

    def stop(self):
        self.connection.close()
