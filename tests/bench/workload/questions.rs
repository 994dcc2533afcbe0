//! Twelve questions in the words of every peer.
//!
//! Ours and DataFusion's and DuckDB's differ by the column `node`, which proves a join to be local to a node. PostgreSQL gets the natural
//! question over partitioned foreign tables, and the one an expert writes: `{n}` is the schema of one server, and the parts are put
//! together with `UNION ALL` where `{parts}` stands. `ClickHouse` has one dialect of its own; `…_local` is what lies at each server.

use crate::rows::NODES;

/// One of the twelve.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// columns it scans of each table, for the bytes a scan has to read: eight for each value
    pub(crate) scans: &'static [(&'static str, u64)],
    /// what the federation is asked, if not the same as everybody
    pub(crate) federated: Option<&'static str>,
    /// standard SQL
    pub(crate) plain: &'static str,
    /// what PostgreSQL calls differently
    pub(crate) postgres: Option<&'static str>,
    /// of one server, and what is made of all
    pub(crate) expert: (&'static str, &'static str),
    pub(crate) clickhouse: &'static str,
    /// how far figures may be apart beside a millionth of themselves
    pub(crate) tolerance: f64,
}

impl Question {
    /// What the federation is asked.
    pub(crate) fn federated(&self) -> &'static str {
        self.federated.unwrap_or(self.plain)
    }

    /// What PostgreSQL is asked over partitions.
    pub(crate) fn natural(&self) -> &'static str {
        self.postgres.unwrap_or(self.plain)
    }

    /// What an expert asks of PostgreSQL.
    pub(crate) fn expert(&self) -> String {
        let (node, merge) = self.expert;
        let parts: Vec<_> =
            (0..NODES).map(|n| format!("({})", node.replace("{n}", &format!("n{n:02}")))).collect();
        merge.replace("{parts}", &format!("({}) AS parts", parts.join(" UNION ALL ")))
    }
}

const Q01: Question = Question {
    name: "q01",
    title: "count",
    scans: &[],
    federated: None,
    plain: "SELECT COUNT(*) AS n FROM lineitem",
    postgres: None,
    expert: ("SELECT COUNT(*) AS n FROM {n}.lineitem", "SELECT SUM(n) AS n FROM {parts}"),
    clickhouse: "SELECT count() AS n FROM lineitem",
    tolerance: 0.0,
};

const Q02: Question = Question {
    name: "q02",
    title: "Q1: pricing summary",
    scans: &[("lineitem", 7)],
    federated: None,
    plain: "SELECT l_returnflag, l_linestatus, SUM(l_quantity) AS quantity, SUM(l_extendedprice) AS price, \
        SUM(l_extendedprice * (1 - l_discount)) AS discounted, SUM(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge, \
        AVG(l_quantity) AS mean_quantity, AVG(l_extendedprice) AS mean_price, AVG(l_discount) AS mean_discount, COUNT(*) AS n \
        FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' \
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    postgres: None,
    expert: (
        "SELECT l_returnflag, l_linestatus, SUM(l_quantity) AS quantity, SUM(l_extendedprice) AS price, \
        SUM(l_extendedprice * (1 - l_discount)) AS discounted, SUM(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge, \
        SUM(l_discount) AS discount, COUNT(*) AS n FROM {n}.lineitem WHERE l_shipdate <= DATE '1998-09-02' \
        GROUP BY l_returnflag, l_linestatus",
        "SELECT l_returnflag, l_linestatus, SUM(quantity), SUM(price), SUM(discounted), SUM(charge), SUM(quantity) / SUM(n), \
        SUM(price) / SUM(n), SUM(discount) / SUM(n), SUM(n) FROM {parts} \
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    ),
    clickhouse: "SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS price, \
        sum(l_extendedprice * (1 - l_discount)) AS discounted, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge, \
        toFloat64(sum(l_quantity)) / count(), toFloat64(sum(l_extendedprice)) / count(), toFloat64(sum(l_discount)) / count(), \
        count() AS n FROM lineitem WHERE l_shipdate <= toDate('1998-09-02') \
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    // DataFusion's mean of decimals keeps six digits.
    tolerance: 1e-6,
};

const Q03: Question = Question {
    name: "q03",
    title: "Q6: forecast revenue",
    scans: &[("lineitem", 4)],
    federated: None,
    plain: "SELECT SUM(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= DATE '1994-01-01' \
        AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    postgres: None,
    expert: (
        "SELECT SUM(l_extendedprice * l_discount) AS revenue FROM {n}.lineitem WHERE l_shipdate >= DATE '1994-01-01' \
        AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
        "SELECT SUM(revenue) AS revenue FROM {parts}",
    ),
    clickhouse: "SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= toDate('1994-01-01') \
        AND l_shipdate < toDate('1995-01-01') AND l_discount >= toDecimal64('0.05', 2) AND l_discount <= toDecimal64('0.07', 2) \
        AND l_quantity < 24",
    tolerance: 0.0,
};

const Q04: Question = Question {
    name: "q04",
    title: "Q14: promotion, join with parts",
    scans: &[("lineitem", 4)],
    federated: None,
    plain: "SELECT 100.0 * SUM(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) \
        / SUM(l_extendedprice * (1 - l_discount)) AS promo FROM lineitem JOIN part ON l_partkey = p_partkey \
        WHERE l_shipdate >= DATE '1995-09-01' AND l_shipdate < DATE '1995-10-01'",
    postgres: None,
    expert: (
        "SELECT SUM(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) AS promo, \
        SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM {n}.lineitem JOIN {n}.part ON l_partkey = p_partkey \
        WHERE l_shipdate >= DATE '1995-09-01' AND l_shipdate < DATE '1995-10-01'",
        "SELECT 100.0 * SUM(promo) / SUM(revenue) AS promo FROM {parts}",
    ),
    clickhouse: "SELECT 100.0 * toFloat64(sum(l_extendedprice * (1 - l_discount) * (p_type LIKE 'PROMO%'))) \
        / toFloat64(sum(l_extendedprice * (1 - l_discount))) AS promo FROM lineitem \
        ANY INNER JOIN (SELECT p_partkey AS l_partkey, p_type FROM part) USING l_partkey \
        WHERE l_shipdate >= toDate('1995-09-01') AND l_shipdate < toDate('1995-10-01')",
    tolerance: 1e-4,
};

const Q05: Question = Question {
    name: "q05",
    title: "200,000 groups, the top 100",
    scans: &[("lineitem", 2)],
    federated: None,
    plain: "SELECT l_partkey, COUNT(*) AS n, SUM(l_quantity) AS quantity FROM lineitem \
        GROUP BY l_partkey ORDER BY quantity DESC, l_partkey LIMIT 100",
    postgres: None,
    expert: (
        "SELECT l_partkey, COUNT(*) AS n, SUM(l_quantity) AS quantity FROM {n}.lineitem GROUP BY l_partkey",
        "SELECT l_partkey, SUM(n) AS n, SUM(quantity) AS quantity FROM {parts} \
        GROUP BY l_partkey ORDER BY quantity DESC, l_partkey LIMIT 100",
    ),
    clickhouse: "SELECT l_partkey, count() AS n, sum(l_quantity) AS quantity FROM lineitem \
        GROUP BY l_partkey ORDER BY quantity DESC, l_partkey LIMIT 100",
    tolerance: 0.0,
};

const Q06: Question = Question {
    name: "q06",
    title: "count distinct of customers",
    scans: &[("orders", 1)],
    federated: None,
    plain: "SELECT COUNT(DISTINCT o_custkey) AS customers FROM orders",
    postgres: None,
    expert: (
        "SELECT DISTINCT o_custkey FROM {n}.orders",
        "SELECT COUNT(DISTINCT o_custkey) AS customers FROM {parts}",
    ),
    clickhouse: "SELECT uniqExact(o_custkey) AS customers FROM orders",
    tolerance: 0.0,
};

const Q07: Question = Question {
    name: "q07",
    title: "median and 95th percentile",
    scans: &[("reading", 1)],
    federated: None,
    plain: "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY temp_c) AS median, \
        PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY temp_c) AS p95 FROM reading",
    postgres: None,
    expert: (
        "SELECT temp_c, COUNT(*) AS n FROM {n}.reading GROUP BY temp_c",
        "WITH h AS (SELECT temp_c, SUM(n) AS n FROM {parts} GROUP BY temp_c), \
        c AS (SELECT temp_c, SUM(n) OVER (ORDER BY temp_c) AS upto, SUM(n) OVER () AS total FROM h), \
        at AS (SELECT p, p * (MAX(total) - 1) AS place FROM c, (VALUES (0.5), (0.95)) AS q(p) GROUP BY p), \
        v AS (SELECT p, place - FLOOR(place) AS share, (SELECT MIN(temp_c) FROM c WHERE upto > FLOOR(place)) AS low, \
        (SELECT MIN(temp_c) FROM c WHERE upto > CEIL(place)) AS high FROM at) \
        SELECT MIN(low + share * (high - low)) AS median, MAX(low + share * (high - low)) AS p95 FROM v",
    ),
    clickhouse: "SELECT quantileExact(0.5)(temp_c) AS median, quantileExact(0.95)(temp_c) AS p95 FROM reading",
    // A step of the grid: peers take other ranks where one falls between two readings.
    tolerance: 0.1,
};

const Q08: Question = Question {
    name: "q08",
    title: "hourly means",
    scans: &[("reading", 3)],
    federated: None,
    plain: "SELECT date_trunc('hour', ts) AS hour, COUNT(*) AS n, AVG(temp_c) AS temperature, AVG(rh_pct) AS humidity \
        FROM reading GROUP BY date_trunc('hour', ts) ORDER BY hour",
    postgres: None,
    expert: (
        "SELECT date_bin('1 hour', ts, TIMESTAMP '2026-01-01') AS hour, COUNT(*) AS n, SUM(temp_c) AS temperature, \
        SUM(rh_pct) AS humidity FROM {n}.reading GROUP BY date_bin('1 hour', ts, TIMESTAMP '2026-01-01')",
        "SELECT hour, SUM(n) AS n, SUM(temperature) / SUM(n) AS temperature, SUM(humidity) / SUM(n) AS humidity \
        FROM {parts} GROUP BY hour ORDER BY hour",
    ),
    clickhouse: "SELECT toStartOfHour(ts) AS hour, count() AS n, avg(temp_c) AS temperature, avg(rh_pct) AS humidity \
        FROM reading GROUP BY hour ORDER BY hour",
    tolerance: 0.0,
};

const Q09: Question = Question {
    name: "q09",
    title: "one day, warm readings",
    scans: &[("reading", 3)],
    federated: None,
    plain: "SELECT COUNT(*) AS n, AVG(rh_pct) AS humidity FROM reading \
        WHERE ts >= TIMESTAMP '2026-01-10 00:00:00' AND ts < TIMESTAMP '2026-01-11 00:00:00' AND temp_c > 20",
    postgres: None,
    expert: (
        "SELECT COUNT(*) AS n, SUM(rh_pct) AS humidity FROM {n}.reading \
        WHERE ts >= TIMESTAMP '2026-01-10 00:00:00' AND ts < TIMESTAMP '2026-01-11 00:00:00' AND temp_c > 20",
        "SELECT SUM(n) AS n, SUM(humidity) / SUM(n) AS humidity FROM {parts}",
    ),
    clickhouse: "SELECT count() AS n, avg(rh_pct) AS humidity FROM reading \
        WHERE ts >= toDateTime('2026-01-10 00:00:00') AND ts < toDateTime('2026-01-11 00:00:00') AND temp_c > 20",
    tolerance: 0.0,
};

const Q10: Question = Question {
    name: "q10",
    title: "top 10 of 10,000 suppliers",
    scans: &[("lineitem", 4)],
    federated: None,
    plain: "SELECT l_suppkey, SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem \
        WHERE l_shipdate >= DATE '1996-01-01' AND l_shipdate < DATE '1996-04-01' \
        GROUP BY l_suppkey ORDER BY revenue DESC, l_suppkey LIMIT 10",
    postgres: None,
    expert: (
        "SELECT l_suppkey, SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM {n}.lineitem \
        WHERE l_shipdate >= DATE '1996-01-01' AND l_shipdate < DATE '1996-04-01' GROUP BY l_suppkey",
        "SELECT l_suppkey, SUM(revenue) AS revenue FROM {parts} \
        GROUP BY l_suppkey ORDER BY revenue DESC, l_suppkey LIMIT 10",
    ),
    clickhouse: "SELECT l_suppkey, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem \
        WHERE l_shipdate >= toDate('1996-01-01') AND l_shipdate < toDate('1996-04-01') \
        GROUP BY l_suppkey ORDER BY revenue DESC, l_suppkey LIMIT 10",
    tolerance: 0.0,
};

const Q11: Question = Question {
    name: "q11",
    title: "revenue by nation, join with suppliers",
    scans: &[("lineitem", 3)],
    federated: None,
    plain: "SELECT n_name, SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem \
        JOIN supplier ON l_suppkey = s_suppkey JOIN nation ON s_nationkey = n_nationkey GROUP BY n_name ORDER BY n_name",
    postgres: None,
    expert: (
        "SELECT n_name, SUM(l_extendedprice * (1 - l_discount)) AS revenue FROM {n}.lineitem \
        JOIN {n}.supplier ON l_suppkey = s_suppkey JOIN {n}.nation ON s_nationkey = n_nationkey GROUP BY n_name",
        "SELECT n_name, SUM(revenue) AS revenue FROM {parts} GROUP BY n_name ORDER BY n_name",
    ),
    clickhouse: "SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem \
        ANY INNER JOIN (SELECT s_suppkey AS l_suppkey, n_name FROM supplier \
        ANY INNER JOIN (SELECT n_nationkey AS s_nationkey, n_name FROM nation) USING s_nationkey) USING l_suppkey \
        GROUP BY n_name ORDER BY n_name",
    tolerance: 0.0,
};

const Q12: Question = Question {
    name: "q12",
    title: "Q12: shipping modes, co-located join",
    scans: &[("lineitem", 5), ("orders", 2)],
    federated: Some(
        "SELECT l_shipmode, SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high, \
        SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 0 ELSE 1 END) AS low \
        FROM lineitem JOIN orders ON orders.node = lineitem.node AND o_orderkey = l_orderkey \
        WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate \
        AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01' \
        GROUP BY l_shipmode ORDER BY l_shipmode",
    ),
    plain: "SELECT l_shipmode, SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high, \
        SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 0 ELSE 1 END) AS low \
        FROM lineitem JOIN orders ON o_orderkey = l_orderkey \
        WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate \
        AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01' \
        GROUP BY l_shipmode ORDER BY l_shipmode",
    // Partition-wise, once the partition key is in the join.
    postgres: Some(
        "SELECT l_shipmode, SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high, \
        SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 0 ELSE 1 END) AS low \
        FROM lineitem JOIN orders ON orders.node = lineitem.node AND o_orderkey = l_orderkey \
        WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate \
        AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01' \
        GROUP BY l_shipmode ORDER BY l_shipmode",
    ),
    expert: (
        "SELECT l_shipmode, SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high, \
        SUM(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 0 ELSE 1 END) AS low \
        FROM {n}.lineitem JOIN {n}.orders ON o_orderkey = l_orderkey \
        WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate \
        AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01' GROUP BY l_shipmode",
        "SELECT l_shipmode, SUM(high) AS high, SUM(low) AS low FROM {parts} GROUP BY l_shipmode ORDER BY l_shipmode",
    ),
    clickhouse: "SELECT l_shipmode, sum(o_orderpriority IN ('1-URGENT', '2-HIGH')) AS high, \
        sum(o_orderpriority NOT IN ('1-URGENT', '2-HIGH')) AS low FROM lineitem \
        ANY INNER JOIN (SELECT o_orderkey AS l_orderkey, o_orderpriority FROM orders_local) USING l_orderkey \
        WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate \
        AND l_receiptdate >= toDate('1994-01-01') AND l_receiptdate < toDate('1995-01-01') \
        GROUP BY l_shipmode ORDER BY l_shipmode",
    tolerance: 0.0,
};

/// All, in their order.
pub(crate) const QUESTIONS: [Question; 12] = [Q01, Q02, Q03, Q04, Q05, Q06, Q07, Q08, Q09, Q10, Q11, Q12];
