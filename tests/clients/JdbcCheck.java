// What BI tools rely on that speak JDBC (DBeaver, Tableau, Metabase): the Arrow Flight SQL driver, driven as they drive it.
// Run by the promise `jdbc`.
//
// Usage: java -cp flight-sql-jdbc-driver.jar --add-opens=java.base/java.nio=ALL-UNNAMED JdbcCheck.java HOST:PORT CA_FILE TOKEN_FILE URL ISSUED_FILE EXPIRED_FILE USER PASSWORD
//
// When all else is done it prints "stop the server" and waits for a line: then the server must be gone.

import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

public final class JdbcCheck {
    private static final String WALLS =
            "SELECT wall_type, COUNT(*) AS homes FROM property GROUP BY wall_type ORDER BY wall_type";

    private static String address;
    private static String authority;

    public static void main(String[] arguments) {
        try {
            checks(arguments);
        } catch (Throwable problem) {
            problem.printStackTrace();
            // The driver's threads would keep the machine up.
            System.exit(1);
        }
        System.out.println("JDBC driver " + version() + ": all checks passed");
        System.exit(0);
    }

    private static void checks(String[] arguments) throws Exception {
        address = arguments[0];
        authority = arguments[1];
        String token = Files.readString(Path.of(arguments[2])).strip();
        try (Connection connection = connect(Map.of("token", token))) {
            List<Object[]> rows = statements(connection);
            prepared(connection, rows);
            parameters(connection);
            values(connection);
            browse(connection);
            abilities(connection.getMetaData());
            errors(connection);
            cancel(connection);
            sessions(connection);
        }
        try (Connection connection = connect(Map.of("user", "ada", "password", token))) {
            statements(connection);
        }
        // The URL of the README, with user name and token.
        try (Connection connection = DriverManager.getConnection(arguments[3], "ada", token)) {
            statements(connection);
        }
        // Left open: the driver closes its channel before it says goodbye for a connection with a catalog, and fails of itself.
        statements(connect(Map.of("token", token, "catalog", "jigsaw")));
        fails("another catalog", () -> connect(Map.of("token", token, "catalog", "elsewhere")), "catalog");
        try (Connection connection = connect(Map.of("token", Files.readString(Path.of(arguments[4]))))) {
            statements(connection);
        }
        String expired = Files.readString(Path.of(arguments[5]));
        fails("an expired token", () -> statements(connect(Map.of("token", expired))), "has expired");
        fails("a wrong token", () -> statements(connect(Map.of("token", "wrong"))), "token");
        fails("a wrong password", () -> connect(Map.of("user", "ada", "password", "wrong")), "is wrong");
        fails("another's name", () -> connect(Map.of("user", "eve", "password", token)), "is wrong");
        fails("no token", () -> statements(connect(Map.of())), "sign in");
        password(arguments[6], arguments[7]);
        gone(token);
    }

    /** A user of the coordinator's own file. */
    private static void password(String user, String password) throws SQLException {
        try (Connection connection = connect(Map.of("user", user, "password", password))) {
            statements(connection);
            for (int question = 0; question < 20; question++) {
                // More than a name has attempts in a minute: the password was shown once.
                equal("one", one(connection, "SELECT 1"), 1L);
            }
        }
        String url = "jdbc:arrow-flight-sql://" + address + "/?useEncryption=true&tlsRootCerts=" + authority;
        try (Connection connection = DriverManager.getConnection(url, user, password)) {
            equal("one", one(connection, "SELECT 1"), 1L);
        }
        String refusal = "user name or password is wrong";
        fails("a wrong password", () -> connect(Map.of("user", user, "password", password + ".")), refusal);
        fails("an empty password", () -> connect(Map.of("user", user, "password", "")), refusal);
        fails("a user that is not there", () -> connect(Map.of("user", "eve", "password", password)), refusal);
        fails("a password as a token", () -> statements(connect(Map.of("token", password))), "token");
    }

    private static String version() {
        Package driver = org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver.class.getPackage();
        return String.valueOf(driver.getImplementationVersion());
    }

    private static Connection connect(Map<String, String> who) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(who);
        properties.put("useEncryption", "true");
        properties.put("tlsRootCerts", authority);
        String url = "jdbc:arrow-flight-sql://" + address + "/?x-jigsaw-purpose=winter%20planning";
        return DriverManager.getConnection(url, properties);
    }

    private static List<Object[]> statements(Connection connection) throws SQLException {
        List<Object[]> rows = new ArrayList<>();
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(WALLS)) {
            ResultSetMetaData columns = found.getMetaData();
            equal("columns", columns.getColumnCount(), 2);
            equal("first label", columns.getColumnLabel(1), "wall_type");
            equal("second label", columns.getColumnLabel(2), "homes");
            equal("type of a text", columns.getColumnType(1), Types.VARCHAR);
            equal("type of a count", columns.getColumnType(2), Types.BIGINT);
            while (found.next()) {
                long homes = found.getLong("homes");
                check("a count is rounded", found.wasNull() || homes % 5 == 0);
                rows.add(new Object[] {found.getString(1), found.getObject(2)});
            }
        }
        check("there are rows", rows.size() >= 2);
        equal("one", one(connection, "SELECT 1"), 1L);
        return rows;
    }

    private static Object one(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(sql)) {
            check(sql + " has a row", found.next());
            return found.getObject(1);
        }
    }

    private static void prepared(Connection connection, List<Object[]> rows) throws SQLException {
        String sql = "SELECT COUNT(*) AS homes FROM property WHERE wall_type = ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            equal("parameters", statement.getParameterMetaData().getParameterCount(), 1);
            for (Object[] row : rows) {
                if (row[0] == null) {
                    continue;
                }
                statement.setString(1, (String) row[0]);
                try (ResultSet found = statement.executeQuery()) {
                    check("there is a count", found.next());
                }
            }
        }
    }

    /** Parameters of every type that a parameter can have. */
    private static void parameters(Connection connection) throws SQLException {
        parameter(connection, "ref_borough", "name = ?", s -> s.setString(1, "Camden"), 1L);
        parameter(connection, "ref_borough", "name = $1", s -> s.setString(1, "Camden"), 1L);
        parameter(connection, "ref_borough", "name = $2 AND population > $1", s -> {
            s.setLong(1, 1L);
            s.setString(2, "Camden");
        }, 1L);
        parameter(connection, "ref_borough", "population > ?", s -> s.setLong(1, 1L), null);
        parameter(connection, "ref_borough", "population > ?", s -> s.setInt(1, 1), null);
        parameter(connection, "ref_borough", "population > ?", s -> s.setShort(1, (short) 1), null);
        parameter(connection, "ref_borough", "population > ?", s -> s.setByte(1, (byte) 1), null);
        parameter(connection, "ref_borough", "population > ?", s -> s.setObject(1, 1L), null);
        parameter(connection, table("DATE '2024-05-01'"), "x = ?",
                s -> s.setDate(1, Date.valueOf("2024-05-01")), 1L);
        parameter(connection, table("CAST('10:30:00' AS TIME)"), "x = ?",
                s -> s.setTime(1, Time.valueOf("10:30:00")), 1L);
        parameter(connection, table("CAST('2024-05-01T10:30:00' AS TIMESTAMP)"), "x = ?",
                s -> s.setTimestamp(1, Timestamp.valueOf("2024-05-01 10:30:00")), 1L);
        parameter(connection, table("CAST(1.5 AS DOUBLE)"), "x < ?", s -> s.setDouble(1, 2.0), 1L);
        parameter(connection, table("CAST(1.5 AS REAL)"), "x < ?", s -> s.setFloat(1, 2.0f), 1L);
        parameter(connection, table("CAST(1 AS SMALLINT)"), "x < ?", s -> s.setShort(1, (short) 2), 1L);
        parameter(connection, table("CAST(1 AS TINYINT)"), "x < ?", s -> s.setByte(1, (byte) 2), 1L);
        parameter(connection, table("CAST(1.50 AS DECIMAL(10, 2))"), "x < ?",
                s -> s.setBigDecimal(1, new BigDecimal("2.25")), 1L);
        parameter(connection, table("TRUE"), "x = ?", s -> s.setBoolean(1, true), 1L);
        parameter(connection, table("X'0102'"), "x = ?", s -> s.setBytes(1, new byte[] {1, 2}), 1L);
        parameter(connection, table("'a'"), "x = ?", s -> s.setNull(1, Types.VARCHAR), 0L);
        parameter(connection, table("1"), "x = ?", s -> s.setNull(1, Types.BIGINT), 0L);
    }

    private static String table(String value) {
        return "(SELECT " + value + " AS x)";
    }

    /** A value of every type, and what a result says of it. */
    private static void values(Connection connection) throws SQLException {
        String sql = "SELECT 'text' AS t, 7 AS big, CAST(7 AS INT) AS i, CAST(7 AS SMALLINT) AS s, CAST(1.5 AS DOUBLE) AS d,"
                + " CAST(1.50 AS DECIMAL(10, 2)) AS dec, TRUE AS b, DATE '2024-05-01' AS day,"
                + " CAST('10:30:00' AS TIME) AS tm, CAST('2024-05-01T10:30:00' AS TIMESTAMP) AS ts, X'0102' AS bin,"
                + " arrow_cast('view', 'Utf8View') AS v, arrow_cast('dictionary', 'Dictionary(Int32, Utf8)') AS di, NULL AS n";
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(sql)) {
            ResultSetMetaData about = found.getMetaData();
            List<Integer> types = new ArrayList<>();
            for (int column = 1; column <= about.getColumnCount(); column++) {
                types.add(about.getColumnType(column));
                check("a type has a name", !about.getColumnTypeName(column).isBlank());
            }
            equal("types", types, List.of(Types.VARCHAR, Types.BIGINT, Types.INTEGER, Types.SMALLINT, Types.DOUBLE,
                    Types.DECIMAL, Types.BOOLEAN, Types.DATE, Types.TIME, Types.TIMESTAMP, Types.VARBINARY,
                    Types.VARCHAR, Types.VARCHAR, Types.VARCHAR));
            equal("label", about.getColumnLabel(6), "dec");
            equal("name", about.getColumnName(6), "dec");
            equal("precision", about.getPrecision(6), 10);
            equal("scale", about.getScale(6), 2);
            check("there is a row", found.next());
            equal("text", found.getString(1), "text");
            equal("numbers", List.of(found.getLong(2), (long) found.getInt(3), (long) found.getShort(4)), List.of(7L, 7L, 7L));
            equal("double", found.getDouble(5), 1.5);
            equal("decimal", found.getBigDecimal(6), new BigDecimal("1.50"));
            equal("boolean", found.getBoolean(7), true);
            equal("date", found.getDate(8).toString(), "2024-05-01");
            equal("time", found.getTime(9).toString(), "10:30:00");
            equal("timestamp", found.getTimestamp(10).toString(), "2024-05-01 10:30:00.0");
            equal("bytes", List.of(found.getBytes(11)[0], found.getBytes(11)[1]), List.of((byte) 1, (byte) 2));
            equal("a view", found.getString(12), "view");
            equal("a dictionary", found.getString(13), "dictionary");
            check("a NULL", found.getObject(14) == null && found.wasNull());
            check("one row", !found.next());
        }
    }

    private interface Binding {
        void to(PreparedStatement statement) throws SQLException;
    }

    private static void parameter(Connection connection, String table, String condition, Binding binding, Long expected)
            throws SQLException {
        String sql = "SELECT COUNT(*) FROM " + table + " AS t WHERE " + condition;
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            binding.to(statement);
            try (ResultSet found = statement.executeQuery()) {
                check(sql + " has a row", found.next());
                if (expected != null) {
                    equal(sql, found.getLong(1), expected);
                } else {
                    check(sql + " finds rows", found.getLong(1) > 1);
                }
            }
        } catch (SQLException | RuntimeException problem) {
            throw new AssertionError(sql, problem);
        }
    }

    /** The tree of a schema browser. */
    private static void browse(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        check("the catalog", column(about.getCatalogs(), "TABLE_CAT").contains("jigsaw"));
        List<String> schemas = column(about.getSchemas(), "TABLE_SCHEM");
        check("the schemas " + schemas, schemas.containsAll(List.of("public", "system")));
        check("a type of table", column(about.getTableTypes(), "TABLE_TYPE").size() >= 1);
        List<String> tables = column(about.getTables("jigsaw", "public", "%", null), "TABLE_NAME");
        check("the tables " + tables, tables.containsAll(List.of("property", "ref_borough")));
        equal("a pattern", column(about.getTables(null, null, "propert_", null), "TABLE_NAME"), List.of("property"));

        Map<String, Integer> types = new HashMap<>();
        Map<String, String> remarks = new HashMap<>();
        try (ResultSet columns = about.getColumns("jigsaw", "public", "property", "%")) {
            while (columns.next()) {
                types.put(columns.getString("COLUMN_NAME"), columns.getInt("DATA_TYPE"));
                remarks.put(columns.getString("COLUMN_NAME"), columns.getString("REMARKS"));
                check("a type has a name", columns.getString("TYPE_NAME") != null);
            }
        }
        equal("type of wall_type", types.get("wall_type"), Types.VARCHAR);
        check("hidden columns are not shown", !types.containsKey("address"));
        Map<String, String> described = new TreeMap<>(Map.of(
                "node", "The node that holds the row",
                "uprn_key", "Keyed hash of the property's reference number; never shown. Role: entity.",
                "borough_gss", "GSS code of the borough, E09000001 to E09000033. Role: dimension.",
                "ward", "Ward. Role: dimension.",
                "built_band", "When it was built. Codes: before 1919, 1919-1944, 1945-1964, 1965-1980, after 1980."
                        + " Role: dimension.",
                "wall_type", "External wall. Codes: solid brick, cavity insulated, cavity uninsulated, system built,"
                        + " timber frame. Role: dimension.",
                "epc_band", "Energy performance; NULL without a certificate. Codes: A, B, C, D, E, F, G. Role: dimension.",
                "bedrooms", "Number of bedrooms. Role: measure.",
                "rebuild_cost", "What it would cost to build again. Unit: GBP. Role: measure."));
        equal("remarks", new TreeMap<>(remarks), described);
        // The protocol has no words about a table, and the driver makes none up.
        for (String table : List.of("property", "nodes", "table_constraints")) {
            equal("remarks of " + table, column(about.getTables(null, null, table, null), "REMARKS"), java.util.Arrays.asList((String) null));
        }
        equal("remarks of a view of the standard", column(about.getColumns(null, "information_schema", "table_constraints",
                "constraint_type"), "REMARKS"), List.of("As the SQL standard has it."));

        equal("primary keys", column(about.getPrimaryKeys("jigsaw", "public", "property"), "COLUMN_NAME"), List.of());
        equal("imported keys", column(about.getImportedKeys("jigsaw", "public", "property"), "FKCOLUMN_NAME"), List.of());
        equal("exported keys", column(about.getExportedKeys("jigsaw", "public", "property"), "FKCOLUMN_NAME"), List.of());
    }

    private static List<String> column(ResultSet rows, String label) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                values.add(rows.getString(label));
            }
        }
        return values;
    }

    /** What tools ask before they write SQL; each is a value of GetSqlInfo, and of one type alone. */
    private static void abilities(DatabaseMetaData about) throws SQLException {
        check("a product", !about.getDatabaseProductName().isBlank());
        check("a version", !about.getDatabaseProductVersion().isBlank());
        equal("quote", about.getIdentifierQuoteString(), "\"");
        check("read only", about.isReadOnly());
        check("keywords", about.getSQLKeywords() != null);
        check("functions", about.getNumericFunctions() != null && about.getStringFunctions() != null
                && about.getSystemFunctions() != null && about.getTimeDateFunctions() != null);
        check("escape", about.getSearchStringEscape() != null);
        check("limits", about.getMaxColumnsInSelect() >= 0 && about.getMaxStatementLength() >= 0
                && about.getMaxConnections() >= 0 && about.getMaxRowSize() >= 0);
        about.supportsTransactions();
        about.supportsGroupBy();
        about.supportsOuterJoins();
        about.supportsConvert();
        about.supportsMixedCaseIdentifiers();
        about.getDefaultTransactionIsolation();
        about.supportsTransactionIsolationLevel(Connection.TRANSACTION_NONE);
        about.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY);
        about.getSchemaTerm();
        about.getCatalogTerm();
        about.nullsAreSortedHigh();
    }

    private static void errors(Connection connection) {
        fails("a column that is not there", () -> one(connection, "SELECT nonsense FROM property"), "nonsense");
        fails("a table that is not there", () -> one(connection, "SELECT COUNT(*) FROM no_such_table"), "no_such_table");
        fails("a hidden column", () -> one(connection, "SELECT nino FROM rough_sleeping_contact"), "nino");
        fails("a change", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate("DELETE FROM property");
            }
        }, "");
    }

    /** The driver keeps cookies, so what is set holds for the connection. */
    private static void sessions(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET jigsaw.timeout = '20s'");
            statement.execute("SET jigsaw.cell_status = columns");
        }
        try (Statement statement = connection.createStatement();
                ResultSet shown = statement.executeQuery("SHOW jigsaw.timeout")) {
            equal("an option", shown.next(), true);
            equal("value", shown.getString("value"), "20s");
            equal("source", shown.getString("source"), "session");
        }
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery(WALLS)) {
            equal("columns with status", found.getMetaData().getColumnCount(), 5);
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("RESET ALL");
        }
        fails("a wrong value", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.execute("SET jigsaw.allow_partial = 'perhaps'");
            }
        }, "true or false");
    }

    /** A statement that was cancelled ends, and leaves its connection usable. */
    private static void cancel(Connection connection) throws SQLException {
        String many = "SELECT a.name FROM ref_borough AS a, ref_borough AS b, ref_borough AS c, ref_borough AS d";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(many)) {
            check("there are rows", rows.next());
            statement.cancel();
            long read = 1;
            try {
                while (rows.next()) {
                    read++;
                }
            } catch (SQLException cancelled) {
                check("it says " + cancelled, cancelled.toString().toLowerCase().contains("cancel"));
            }
            check("all rows came: " + read, read < 33 * 33 * 33 * 33);
        }
        equal("after a cancelled statement", one(connection, "SELECT 1"), 1L);
    }

    /** A server that is gone is an error at once, of what is open and of what connects. */
    private static void gone(String token) throws Exception {
        Connection open = connect(Map.of("token", token));
        statements(open);
        System.out.println("stop the server");
        System.in.read();
        long started = System.nanoTime();
        fails("a question to nobody", () -> one(open, "SELECT 1"), "xception");
        fails("a connection to nobody", () -> connect(Map.of("token", token)), "xception");
        check("it took long", System.nanoTime() - started < 30_000_000_000L);
    }

    private interface Attempt {
        void run() throws SQLException;
    }

    private static void fails(String what, Attempt attempt, String word) {
        try {
            attempt.run();
        } catch (SQLException | RuntimeException problem) {
            StringBuilder text = new StringBuilder();
            for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
                text.append(cause.getMessage()).append('\n');
            }
            check(what + " says " + text, text.toString().contains(word));
            return;
        }
        throw new AssertionError(what + " did not fail");
    }

    private static void equal(String what, Object found, Object expected) {
        check(what + ": " + found + " is not " + expected, expected.equals(found));
    }

    private static void check(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
