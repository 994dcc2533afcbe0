"""What Python analysts rely on: ADBC's DB-API, pandas, polars, DuckDB over them. Run by the promise `python`.

Usage: python_check.py HOST:PORT CA_FILE TOKEN_FILE
"""

import sys
import warnings
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
import duckdb
import pandas
import polars
import pyarrow
from adbc_driver_flightsql import DatabaseOptions

WALLS = "SELECT wall_type, COUNT(*) AS homes FROM property GROUP BY wall_type ORDER BY wall_type"


def connect(address, ca, token=None, user=None):
    options = {DatabaseOptions.TLS_ROOT_CERTS.value: ca}
    if user:
        options |= {"username": user, "password": token}
    elif token:
        options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {token}"
    return flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options)


def fails(expected, ask, *words):
    try:
        ask()
    except expected as error:
        for word in words:
            assert word in str(error), f"{word!r} is not in {error}"
        return error
    raise AssertionError(f"no {expected} was raised")


def db_api(connection):
    with connection.cursor() as cursor:
        cursor.execute(WALLS)
        assert [column[0] for column in cursor.description] == ["wall_type", "homes"]
        rows = cursor.fetchall()
        assert len(rows) >= 2, rows
        assert all(homes is None or homes % 5 == 0 for _, homes in rows), rows
        cursor.execute(WALLS)
        table = cursor.fetch_arrow_table()
        assert table.schema.field("homes").type == pyarrow.int64(), table.schema
        assert table.num_rows == len(rows)
        cursor.execute("SELECT COUNT(*) AS homes FROM property WHERE wall_type = ?", ("solid brick",))
        assert cursor.fetchone()[0] > 0
        cursor.execute("SELECT COUNT(*) AS homes FROM property WHERE wall_type = $1", ("no such wall",))
        assert cursor.fetchone()[0] in (0, None)
        schema = cursor.adbc_execute_schema(WALLS)
        assert schema.names == ["wall_type", "homes"], schema
    return rows


def metadata(connection):
    assert connection.adbc_get_info()["vendor_name"], connection.adbc_get_info()
    catalogs = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    (catalog,) = [each for each in catalogs if each["catalog_name"] == "jigsaw"]
    schemas = {each["db_schema_name"]: each["db_schema_tables"] for each in catalog["catalog_db_schemas"]}
    tables = {table["table_name"]: table for table in schemas["public"]}
    assert {"property", "ref_borough"} <= tables.keys(), tables.keys()
    assert "nodes" in {table["table_name"] for table in schemas["system"]}
    columns = {column["column_name"] for column in tables["property"]["table_columns"]}
    assert "wall_type" in columns and "address" not in columns, columns
    assert "wall_type" in connection.adbc_get_table_schema("property").names
    assert {"BASE TABLE", "VIEW"} <= set(connection.adbc_get_table_types())
    some = connection.adbc_get_objects(depth="tables", db_schema_filter="sys%", table_name_filter="node_").read_all()
    (schema,) = some.to_pylist()[0]["catalog_db_schemas"]
    assert [table["table_name"] for table in schema["db_schema_tables"]] == ["nodes"], schema
    schema = connection.adbc_get_table_schema("property", catalog_filter="jigsaw", db_schema_filter="public")
    said = schema.field("rebuild_cost").metadata
    assert b"Unit: GBP" in said[b"ARROW:FLIGHT:SQL:REMARKS"], said
    assert said[b"ARROW:FLIGHT:SQL:TYPE_NAME"] and said[b"ARROW:FLIGHT:SQL:IS_READ_ONLY"] == b"1", said
    assert connection.adbc_current_catalog == "jigsaw" and connection.adbc_current_db_schema == "public"


def cell_status(address, ca, token):
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: ca,
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
        DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "x-jigsaw-cell-status": "columns",
    }
    with flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options) as connection:
        frame = polars.read_database(WALLS, connection)
    names = ["homes__status", "homes__nodes_withheld", "homes__nodes_left_out"]
    assert frame.columns == ["wall_type", "homes", *names], frame
    assert set(frame["homes__status"]) <= {"rounded", "partial", "withheld"}, frame


def sessions(address, ca, token):
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: ca,
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
    }
    with_cookies = options | {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with flight_sql.connect(f"grpc+tls://{address}", db_kwargs=with_cookies) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET jigsaw.purpose = 'set from Python'")
            assert cursor.fetchall() == [("jigsaw.purpose", "set from Python", "session")]
            cursor.execute("SHOW ALL")
            shown = {name: (value, source) for name, value, source in cursor.fetchall()}
            assert shown["jigsaw.purpose"] == ("set from Python", "session"), shown
            assert shown["jigsaw.cell_status"] == ("plain", "default"), shown
            cursor.execute("SET jigsaw.cell_status = columns")
            cursor.execute(WALLS)
            assert "homes__status" in [column[0] for column in cursor.description]
            cursor.fetchall()
            cursor.execute("RESET jigsaw.cell_status")
            cursor.execute(WALLS)
            assert len(cursor.description) == 2
            cursor.fetchall()
        assert connection.adbc_current_catalog == "jigsaw", connection.adbc_current_catalog
    with flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options) as connection:
        with connection.cursor() as cursor:
            ask = lambda: cursor.execute("SET jigsaw.purpose = 'lost'")
            fails(adbc_driver_manager.ProgrammingError, ask, "cookie", "x-jigsaw-purpose")


def frames(connection, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pandas.read_sql(WALLS, connection)
        boroughs = pandas.read_sql_table("ref_borough", connection)
    assert list(frame.columns) == ["wall_type", "homes"] and len(frame) == len(rows), frame
    assert len(boroughs) == 33 and "name" in boroughs.columns, boroughs
    frame = polars.read_database(WALLS, connection)
    assert frame.columns == ["wall_type", "homes"] and frame.height == len(rows), frame
    sql = "SELECT name FROM ref_borough WHERE name = $1"
    frame = polars.read_database(sql, connection, execute_options={"parameters": ["Camden"]})
    assert frame["name"].to_list() == ["Camden"], frame


def beside_own_tables(connection, rows):
    """DuckDB reads an answer as it streams in, beside a table of the analyst's own."""
    duck = duckdb.connect()
    duck.execute("CREATE TABLE insulation (wall_type TEXT, insulated BOOLEAN)")
    duck.execute("INSERT INTO insulation VALUES ('cavity insulated', true), ('solid brick', false)")
    with connection.cursor() as cursor:
        cursor.execute(WALLS)
        walls = cursor.fetch_record_batch()
        joined = duck.sql("SELECT insulated, SUM(homes)::BIGINT FROM walls JOIN insulation USING (wall_type) GROUP BY ALL")
        found = dict(joined.fetchall())
    homes = dict(rows)
    assert found == {True: homes["cavity insulated"], False: homes["solid brick"]}, found


def followed(connection, rows):
    """A question that is polled, until there is something to fetch."""
    with connection.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        found, polls = [], 0
        while not found:
            found, schema = cursor.adbc_execute_partitions(WALLS)
            assert schema.names == ["wall_type", "homes"], schema
            polls += 1
            assert polls < 100, "it never ends"
        assert len(found) == 1, found
        assert statement.get_option_float("adbc.statement.exec.progress") == 1.0
        assert cursor.adbc_execute_partitions(WALLS)[0] == [], "there is nothing more"
        cursor.adbc_read_partition(found[0])
        assert cursor.fetchall() == rows


def cancel(connection):
    """A statement that is cancelled ends, and leaves its connection usable."""
    many = "SELECT a.name FROM ref_borough AS a, ref_borough AS b, ref_borough AS c, ref_borough AS d"
    with connection.cursor() as cursor:
        cursor.execute(many)
        reader = cursor.fetch_record_batch()
        read = reader.read_next_batch().num_rows
        cursor.adbc_cancel()
        try:
            for batch in reader:
                read += batch.num_rows
        except Exception as error:  # which one depends on where the reader was
            assert "cancel" in str(error).lower(), error
        assert read < 33**4, "all rows came"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def errors(connection, address, ca):
    def ask(sql):
        def run():
            with connection.cursor() as cursor:
                cursor.execute(sql)
                cursor.fetchall()

        return run

    fails(adbc_driver_manager.ProgrammingError, ask("SELECT nonsense FROM property"), "nonsense")
    fails(adbc_driver_manager.ProgrammingError, ask("SELECT COUNT(*) FROM no_such_table"), "no_such_table")
    fails(adbc_driver_manager.ProgrammingError, ask("SELECT nino FROM rough_sleeping_contact"))
    fails(adbc_driver_manager.Error, ask("DELETE FROM property"))
    # What is too long is the question's fault, and said in a sentence.
    long = "x" * 5_000_000
    fails(adbc_driver_manager.ProgrammingError, ask(f"SELECT '{long}' AS long"), "longer than the 4 MiB")
    fails(adbc_driver_manager.ProgrammingError, ask("SELECT repeat('x', 20000000) AS long"), "longer than 3 MiB")
    with connection.cursor() as cursor:
        bind = lambda: cursor.execute("SELECT LENGTH(?) AS n", (long,))
        fails(adbc_driver_manager.ProgrammingError, bind, "longer than the 4 MiB")
    fails(adbc_driver_manager.Error, lambda: connect(address, ca, "wrong").cursor().execute(WALLS))
    fails(adbc_driver_manager.Error, lambda: connect(address, ca).cursor().execute(WALLS))


def main():
    address, ca, token = sys.argv[1], Path(sys.argv[2]).read_text(), Path(sys.argv[3]).read_text().strip()
    with warnings.catch_warnings():
        # The driver warns of a server that says it has no transactions.
        warnings.simplefilter("error")
        connection = connect(address, ca, token)
    with connection:
        rows = db_api(connection)
        connection.commit()
        connection.rollback()
        metadata(connection)
        frames(connection, rows)
        errors(connection, address, ca)
        cancel(connection)
        beside_own_tables(connection, rows)
        followed(connection, rows)
    cell_status(address, ca, token)
    sessions(address, ca, token)
    with connect(address, ca, token, user="ada") as connection:
        db_api(connection)


main()
