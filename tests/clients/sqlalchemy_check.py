"""What Superset does through SQLAlchemy 1.4 and flightsql-dbapi: its connection test, its table browser, its SQL lab.
Run by the promise `python`, with GRPC_DEFAULT_SSL_ROOTS_FILE_PATH naming the authority's certificate.

Usage: sqlalchemy_check.py HOST:PORT TOKEN_FILE
"""

import sys
from pathlib import Path

import sqlalchemy
from sqlalchemy import column, func, select, table, types

WALLS = "SELECT wall_type, COUNT(*) AS homes FROM property GROUP BY wall_type ORDER BY wall_type"


def names(connection):
    inspector = sqlalchemy.inspect(connection)
    assert {"public", "system", "information_schema"} <= set(inspector.get_schema_names())
    tables = inspector.get_table_names(schema="public")
    assert {"property", "ref_borough"} <= set(tables), tables
    assert inspector.has_table("property", schema="public")
    columns = {each["name"]: each for each in inspector.get_columns("property", schema="public")}
    assert isinstance(columns["wall_type"]["type"], types.TEXT), columns["wall_type"]
    assert "address" not in columns, "hidden columns are not shown"
    assert not any(isinstance(each["type"], types.BLOB) for each in columns.values()), columns
    nodes = {each["name"]: each["type"] for each in inspector.get_columns("nodes", schema="system")}
    assert isinstance(nodes["checked_at"], types.TIMESTAMP), nodes
    assert inspector.get_pk_constraint("property", schema="public") in ([], {"constrained_columns": [], "name": None})
    assert inspector.get_foreign_keys("property", schema="public") == []


def questions(connection):
    assert connection.execute("SELECT 1").scalar() == 1
    rows = connection.execute(WALLS).fetchall()
    assert len(rows) >= 2, rows
    homes = table("property", column("wall_type", types.TEXT), schema="public")
    chart = select(homes.c.wall_type, func.count().label("n")).group_by(homes.c.wall_type)
    chart = chart.where(homes.c.wall_type == rows[0][0]).limit(10)
    assert connection.execute(chart).fetchall() == [tuple(rows[0])]
    # Its SQL lab takes the cursor below.
    cursor = connection.connection.cursor()
    cursor.execute(WALLS)
    assert [each[0] for each in cursor.description] == ["wall_type", "homes"], cursor.description
    assert [tuple(row) for row in cursor.fetchall()] == [tuple(row) for row in rows]
    moment = connection.execute("SELECT CAST('2024-05-01T12:00:00' AS TIMESTAMP) AS t").scalar()
    assert str(moment).startswith("2024-05-01"), f"a timestamp is {moment!r}"


def fails(ask, word):
    try:
        ask()
    except Exception as problem:  # the package has no errors of its own for what the server says
        assert word in str(problem), problem
        return
    raise AssertionError(f"nothing failed with {word}")


def main():
    address, token = sys.argv[1], Path(sys.argv[2]).read_text().strip()
    for url in [
        f"datafusion://ada:{token}@{address}",
        f"datafusion://{address}?token={token}&x-jigsaw-purpose=superset",
        f"datafusion://{address}?token={token}&feature-sqlalchemy-prepared-statements=on"
        "&feature-sqlalchemy-primary-keys=on",
    ]:
        with sqlalchemy.create_engine(url).connect() as connection:
            names(connection)
            questions(connection)
            fails(lambda: connection.execute("SELECT nonsense FROM property").fetchall(), "nonsense")
    fails(lambda: sqlalchemy.create_engine(f"datafusion://ada:wrong@{address}").connect(), "token")
    print(f"SQLAlchemy {sqlalchemy.__version__}: all checks passed")


main()
