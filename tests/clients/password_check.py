"""Signing in with a user name and a password, as ADBC does it. Run by the promise `identity`.

Usage: password_check.py HOST:PORT CA_FILE USER PASSWORD
"""

import sys
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
from adbc_driver_flightsql import DatabaseOptions

address, ca, user, password = sys.argv[1:]
options = {DatabaseOptions.TLS_ROOT_CERTS.value: Path(ca).read_text(), "username": user}
with flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options | {"password": password}) as connection:
    with connection.cursor() as cursor:
        for _ in range(20):
            # More questions than a name has attempts in a minute: the password was shown once.
            cursor.execute("SELECT COUNT(*) AS nodes FROM system.nodes")
            assert cursor.fetchone()[0] == 2
try:
    flight_sql.connect(f"grpc+tls://{address}", db_kwargs=options | {"password": password + "."})
except adbc_driver_manager.Error as error:
    assert "wrong" in str(error), error
else:
    raise AssertionError("a wrong password signs in")
