//! Attacks by what can be written: each is a list of questions, none of which may show the target.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Branch, Expr};
use jigsaw_proto::function::Function;

use super::fragment::{
    aged, all, call, column, count_if, double, equal, filtered, grouped, int, of, scan, words,
};
use super::population::{HEAVY_AGE, TARGET_AGE};
use super::target::{Outcome, Target, attacks, number, text};

const INCOME: &str = "income of the one in a cell";

attacks! {
    "A01", "filter on the identifier", INCOME, Both, identifier;
    "A02", "unique combination of dimensions", "condition of the one in a cell", Both, unique;
    "A12", "extremes and quantiles", INCOME, Both, extremes;
    "A13", "aggregates that collect values", INCOME, Analyst, collected;
    "A15", "choice inside an aggregate", INCOME, Both, choices;
    "A20", "join with a list of literals", INCOME, Analyst, lists;
    "A21", "join that multiplies one person's rows", "condition of the one in a cell", Analyst, multiplied;
    "A22", "self join and cross join", INCOME, Analyst, self_joins;
    "A23", "subquery on a protected table", INCOME, Analyst, subqueries;
    "A24", "aggregate of aggregates by person", INCOME, Analyst, laundering;
    "A25", "window functions", INCOME, Analyst, windows;
    "A26", "set operations on protected rows", INCOME, Analyst, sets;
    "A28", "errors that quote a value", "anything of a row", Both, casts;
    "A30", "functions whose cost a row decides", "acceptance", Analyst, costly;
    "A34", "volatile and state-keeping functions", "acceptance", Analyst, volatile;
    "A48", "many rows of few people", "rows of three people", Analyst, heavy;
    "A49", "covariance with a vector of one's own", INCOME, Analyst, covariance;
    "A50", "what a BI tool asks by itself", INCOME, Analyst, tools;
}

/// Puts a person's key into each question, and asks.
async fn about_key(target: &Target<'_>, questions: &[&str]) -> Outcome {
    let key = &target.people.target.key;
    let half: String = key.chars().take(8).collect();
    let questions: Vec<String> =
        questions.iter().map(|sql| sql.replace("{key}", key).replace("{half}", &half)).collect();
    target.search(&questions.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn identifier(target: &Target<'_>) -> Outcome {
    let sql = about_key(
        target,
        &[
            "SELECT SUM(income) FROM {t} WHERE person_key = '{key}'",
            "SELECT SUM(income) FROM {t} WHERE person_key IN ('{key}')",
            "SELECT SUM(income) FROM {t} WHERE person_key LIKE '{half}%'",
            "SELECT SUM(income) FROM {t} WHERE person_key BETWEEN '{key}' AND '{key}'",
            "SELECT SUM(income) FROM {t} WHERE person_key >= '{key}' AND person_key <= '{key}'",
            "SELECT SUM(income) FROM {t} WHERE NOT (person_key <> '{key}')",
            "SELECT SUM(income) FROM {t} WHERE md5(person_key) = md5('{key}')",
            "SELECT SUM(income) FROM {t} WHERE substr(person_key, 1, 8) = '{half}'",
            "SELECT SUM(income) FROM {t} WHERE regexp_like(person_key, '{half}')",
            "SELECT SUM(income) FROM {t} WHERE starts_with(person_key, '{half}')",
            "SELECT SUM(income) FROM {t} WHERE person_key IS NOT DISTINCT FROM '{key}'",
            "SELECT SUM(income) FROM {t} WHERE NULLIF(person_key, '{key}') IS NULL",
            "SELECT SUM(income) FROM {t} WHERE full_name LIKE 'Quillon%'",
            "SELECT person_key, SUM(income) FROM {t} GROUP BY person_key",
        ],
    )
    .await;
    let key = || words(&target.people.target.key);
    let rows =
        |predicate| all(filtered(scan(target.dataset), predicate), vec![of(State::Sum, column("income"))]);
    let fragments = vec![
        rows(equal(column("person_key"), key())),
        rows(column("person_key").binary(BinaryOp::IsNotDistinctFrom, key())),
        rows(call(Function::StartsWith, vec![column("person_key"), key()])),
        rows(equal(call(Function::Lower, vec![column("person_key")]), key())),
        rows(equal(column("full_name"), words(&target.people.target.name))),
        grouped(scan(target.dataset), vec![column("person_key")], vec![of(State::Sum, column("income"))]),
        all(scan(target.dataset), vec![of(State::Max, column("person_key"))]),
    ];
    sql.or(target.search_fragments(fragments).await)
}

async fn unique(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.condition;
    let sql = format!("SELECT condition, COUNT(*) FROM {{t}} WHERE age = {TARGET_AGE} GROUP BY condition");
    let rows = target.sql(&sql).await.unwrap_or_default();
    let found = text(rows.first().and_then(|row| row[0].as_deref()), truth, &sql);
    let sum = format!("SELECT SUM(income) FROM {{t}} WHERE ward = 'w1' AND sex = 'x' AND age = {TARGET_AGE}");
    let fragment = grouped(
        aged(target.dataset, TARGET_AGE),
        vec![column("condition")],
        vec![of(State::Entities, column("person_key")), of(State::Sum, column("income"))],
    );
    let rows =
        target.fragment("north", fragment).await.map(|released| super::target::rows(&released.batches));
    let rows = rows.unwrap_or_default();
    let fragment = text(rows.first().and_then(|row| row[0].as_deref()), truth, "the same, as a fragment");
    found.or(fragment).or(target.search(&[&sum]).await)
}

async fn extremes(target: &Target<'_>) -> Outcome {
    let here = "FROM {t} WHERE sex = 'x'";
    let questions = [
        "MIN(income)",
        "MAX(income)",
        "MEDIAN(income)",
        "approx_median(income)",
        "MIN(full_name)",
        "MAX(person_key)",
        "approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY income)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY income)",
        "first_value(income)",
        "last_value(income ORDER BY age)",
        "nth_value(income, 1)",
        "MAX(income) FILTER (WHERE age = 97)",
        "bit_xor(income)",
        "bit_and(income)",
        "AVG(income)",
        "VAR_POP(income)",
        "AVG(DISTINCT income)",
        "SUM(DISTINCT income)",
        "percentile_disc(1.0) WITHIN GROUP (ORDER BY income)",
        "percentile_cont(0.999) WITHIN GROUP (ORDER BY income) FILTER (WHERE age = 97)",
        "REGR_AVGY(income, age)",
        "REGR_AVGX(age, income) FILTER (WHERE age = 97)",
        "SQRT(REGR_SXX(age, income))",
        "REGR_SXY(income, CASE WHEN age = 97 THEN score END)",
        "COVAR_POP(income, CASE WHEN age = 97 THEN score ELSE 0 END)",
        "REGR_INTERCEPT(income, age)",
    ];
    let questions: Vec<String> = questions.iter().map(|call| format!("SELECT {call} {here}")).collect();
    let sql = target.search(&questions.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut fragments = Vec::new();
    for state in [State::Min, State::Max, State::Mean, State::Sum] {
        fragments.push(all(aged(target.dataset, TARGET_AGE), vec![of(state, column("income"))]));
        let keys = vec![column("age")];
        fragments.push(grouped(scan(target.dataset), keys, vec![of(state, column("income"))]));
    }
    sql.or(target.search_fragments(fragments).await)
}

async fn collected(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT ARRAY_AGG(income) FROM {t} WHERE age = 97",
            "SELECT ARRAY_AGG(income) FROM {t}",
            "SELECT STRING_AGG(full_name, ',') FROM {t}",
            "SELECT STRING_AGG(CAST(income AS TEXT), ',') FROM {t} WHERE age = 97",
            "WITH c AS (SELECT ARRAY_AGG(income) AS a FROM {t} WHERE age = 97) SELECT a FROM c",
            "SELECT ward FROM {t} GROUP BY ward HAVING array_length(ARRAY_AGG(income)) > 0",
            "SELECT ward FROM {t} GROUP BY ward ORDER BY ARRAY_AGG(income)",
            "SELECT first_value(person_key) FROM {t}",
            "SELECT any_value(income) FROM {t} WHERE age = 97",
            "SELECT DISTINCT income FROM {t}",
            "SELECT * FROM {t}",
            "TABLE {t}",
        ])
        .await
}

async fn choices(target: &Target<'_>) -> Outcome {
    let sql = target
        .search(&[
            "SELECT SUM(CASE WHEN age = 97 THEN income END) FROM {t}",
            "SELECT SUM(CASE WHEN age = 97 THEN income ELSE 0 END) FROM {t}",
            "SELECT SUM(CASE WHEN age = 97 THEN income ELSE -0.0 END) FROM {t}",
            "SELECT SUM(income) FILTER (WHERE age = 97) FROM {t}",
            "SELECT SUM(CAST(age = 97 AS INT) * income) FROM {t}",
            "SELECT SUM(income * CASE WHEN age = 97 THEN 1 ELSE 0 END) FROM {t}",
            "SELECT SUM(CASE WHEN age = 97 THEN income ELSE 0.000001 END) FROM {t}",
            "SELECT SUM(COALESCE(CASE WHEN age = 97 THEN income END, score)) FROM {t}",
            "SELECT SUM(income * (age - 97)) FROM {t}",
            "SELECT SUM(income / (98 - age)) FROM {t}",
            "SELECT AVG(CASE WHEN age = 97 THEN income END) FROM {t}",
            "SELECT AVG(NULLIF(income, 0)) FROM {t} WHERE age = 97",
            "SELECT MAX(CASE WHEN age = 97 THEN income END) FROM {t}",
            "SELECT SUM(i) FROM (SELECT CASE WHEN age = 97 THEN income END AS i FROM {t}) AS x",
            "SELECT SUM(GREATEST(CASE WHEN age = 97 THEN income END, 1)) FROM {t}",
        ])
        .await;
    let alone = || equal(column("age"), int(TARGET_AGE));
    let choice = |otherwise: Option<Expr>| Expr::Case {
        branches: vec![Branch { when: alone(), then: column("income") }],
        otherwise: otherwise.map(Box::new),
    };
    let sum = |argument| all(scan(target.dataset), vec![of(State::Sum, argument)]);
    let mut filtered_sum = of(State::Sum, column("income"));
    filtered_sum.filter = Some(alone());
    let fragments = vec![
        sum(choice(None)),
        sum(choice(Some(int(0)))),
        sum(choice(Some(int(1)))),
        sum(call(Function::Coalesce, vec![choice(None), int(0)])),
        sum(call(Function::Greatest, vec![choice(None), int(0)])),
        sum(column("income")
            .binary(BinaryOp::Multiply, call(Function::Power, vec![double(0.0), double(0.0)]))),
        all(scan(target.dataset), vec![filtered_sum, count_if(alone())]),
    ];
    sql.or(target.search_fragments(fragments).await)
}

async fn lists(target: &Target<'_>) -> Outcome {
    about_key(
        target,
        &[
            "SELECT SUM(t.income) FROM {t} t JOIN (VALUES ('{key}')) v(k) ON t.person_key = v.k",
            "WITH v AS (SELECT '{key}' AS k) SELECT SUM(t.income) FROM {t} t JOIN v ON t.person_key = v.k",
            "SELECT SUM(income) FROM {t} WHERE person_key IN (SELECT * FROM (VALUES ('{key}')) v)",
            "SELECT SUM(t.income) FROM {t} t, UNNEST(make_array('{key}')) AS v(k) WHERE t.person_key = v.k",
            "SELECT SUM(t.income) FROM {t} t JOIN (VALUES (97)) v(a) ON t.age = v.a",
            "SELECT v.a, SUM(t.income) FROM {t} t JOIN (VALUES (97), (20)) v(a) ON t.age = v.a GROUP BY v.a",
        ],
    )
    .await
}

async fn multiplied(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.condition;
    let mut outcome = Outcome::Nothing;
    for sql in [
        "SELECT t.condition, COUNT(*) FROM {t} t JOIN place p ON p.node = t.node AND p.ward = t.ward WHERE t.age = 97 GROUP BY t.condition",
        "SELECT t.condition, COUNT(DISTINCT p.bench) FROM {t} t JOIN place p ON p.node = t.node AND p.ward = t.ward WHERE t.age = 97 GROUP BY t.condition",
        "SELECT t.condition, COUNT(*) FROM {t} t LEFT JOIN place p ON p.node = t.node AND p.ward = t.ward WHERE t.age = 97 GROUP BY t.condition",
        "SELECT condition, COUNT(*) FROM (SELECT * FROM {t} WHERE age = 97 UNION ALL SELECT * FROM {t} WHERE age = 97) u GROUP BY condition",
    ] {
        let rows = target.sql(sql).await.unwrap_or_default();
        outcome = outcome.or(text(rows.first().and_then(|row| row[0].as_deref()), truth, sql));
    }
    outcome
}

async fn self_joins(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT SUM(a.income) FROM {t} a JOIN {t} b ON a.node = b.node AND a.ward = b.ward WHERE a.age = 97",
            "SELECT SUM(a.income) FROM {t} a CROSS JOIN {t} b WHERE a.age = 97",
            "SELECT SUM(a.income) FROM {t} a, {t} b WHERE a.age = 97 AND b.age < 60",
            "SELECT SUM(a.income) FROM {t} a JOIN {t} b ON a.node = b.node AND a.person_key = b.person_key WHERE b.age = 97",
            "SELECT SUM(a.income) FROM {t} a JOIN {t} b ON a.node = b.node AND a.person_key < b.person_key WHERE a.age = 97",
            "SELECT SUM(a.income) FROM {t} a LEFT JOIN {t} b ON a.node = b.node AND a.person_key = b.person_key AND b.age < 90 WHERE b.age IS NULL AND a.age = 97",
        ])
        .await
}

async fn subqueries(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT (SELECT income FROM {t} WHERE age = 97)",
            "SELECT (SELECT SUM(income) FROM {t} WHERE age = 97)",
            "SELECT ward, (SELECT MAX(income) FROM {t} x WHERE x.age = 97) FROM {t} GROUP BY ward",
            "SELECT SUM(income) FROM {t} WHERE income = (SELECT MAX(income) FROM {t} WHERE age = 97)",
            "SELECT SUM(income) FROM {t} WHERE person_key IN (SELECT person_key FROM {t} WHERE age = 97)",
            "SELECT SUM(income) FROM {t} a WHERE EXISTS (SELECT 1 FROM {t} b WHERE b.person_key = a.person_key AND b.age = 97)",
            "SELECT COUNT(*) FROM {t} a WHERE a.income > ALL (SELECT income FROM {t} WHERE age = 97)",
            "SELECT l.income FROM {t} a, LATERAL (SELECT income FROM {t} b WHERE b.age = 97) l",
        ])
        .await
}

async fn laundering(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT SUM(s) FROM (SELECT person_key, SUM(income) AS s FROM {t} WHERE age = 97 GROUP BY person_key) x",
            "SELECT MAX(s) FROM (SELECT person_key, SUM(income) AS s FROM {t} GROUP BY person_key) x",
            "SELECT s FROM (SELECT person_key, SUM(income) AS s FROM {t} GROUP BY person_key) x",
            "SELECT MAX(s) FROM (SELECT age, SUM(income) AS s FROM {t} GROUP BY age) x WHERE age = 97",
            "SELECT SUM(s) FROM (SELECT node, sex, age, SUM(income) AS s FROM {t} GROUP BY node, sex, age) x WHERE age = 97",
        ])
        .await
}

async fn windows(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT SUM(income) OVER (ROWS BETWEEN CURRENT ROW AND CURRENT ROW) FROM {t}",
            "SELECT income, ROW_NUMBER() OVER (ORDER BY age DESC) FROM {t}",
            "SELECT LAG(income) OVER (ORDER BY age) FROM {t}",
            "SELECT age, SUM(SUM(income)) OVER (PARTITION BY age) FROM {t} GROUP BY age",
            "SELECT FIRST_VALUE(SUM(income)) OVER (ORDER BY age DESC) FROM {t} GROUP BY age",
        ])
        .await
}

async fn sets(target: &Target<'_>) -> Outcome {
    let many = ["SELECT income FROM {t} WHERE age = 97"; 8].join(" UNION ALL ");
    let many = format!("SELECT AVG(income) FROM ({many}) AS u");
    target
        .search(&[
            &many,
            "SELECT income FROM {t} EXCEPT SELECT income FROM {t} WHERE age < 97",
            "SELECT income FROM {t} INTERSECT SELECT income FROM {t} WHERE age = 97",
            "SELECT income FROM {t} UNION SELECT income FROM {t}",
            "SELECT SUM(income) FROM (SELECT income FROM {t} EXCEPT SELECT income FROM {t} WHERE age < 97) AS u",
            "SELECT SUM(income) FROM (SELECT person_key, income FROM {t} WHERE age = 97 UNION SELECT person_key, income FROM {t} WHERE age = 97) AS u",
        ])
        .await
}

async fn casts(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT SUM(CAST(full_name AS BIGINT)) FROM {t}",
            "SELECT SUM(CAST(person_key AS BIGINT)) FROM {t}",
            "SELECT CAST(condition AS BIGINT), COUNT(*) FROM {t} GROUP BY 1",
            "SELECT SUM(CAST(income AS DECIMAL(3, 0))) FROM {t}",
            "SELECT SUM(1 / (income - income)) FROM {t}",
            "SELECT SUM(income * 9223372036854775807) FROM {t}",
            "SELECT chr(income), COUNT(*) FROM {t} GROUP BY 1",
            "SELECT make_date(income, 1, 1), COUNT(*) FROM {t} GROUP BY 1",
            "SELECT to_timestamp(full_name), COUNT(*) FROM {t} GROUP BY 1",
            "SELECT COUNT(*) FROM {t} WHERE regexp_like('x', condition || '[')",
            "SELECT COUNT(*) FROM {t} WHERE CAST(ward AS DATE) > DATE '2020-01-01'",
            "SELECT arrow_cast(condition, 'Int8'), COUNT(*) FROM {t} GROUP BY 1",
        ])
        .await
}

async fn costly(target: &Target<'_>) -> Outcome {
    target
        .answered(&[
            "SELECT COUNT(*) FROM {t} WHERE length(repeat(ward, age * 1000000)) > 0",
            "SELECT COUNT(*) FROM {t} WHERE length(lpad('x', CAST(age AS INT) * 1000000)) > 0",
            "SELECT COUNT(*) FROM {t} WHERE regexp_like(ward, '(a+)+$')",
            "SELECT COUNT(*) FROM {t} WHERE array_length(range(age * 1000000)) > 0",
            "SELECT COUNT(*) FROM {t} WHERE factorial(age) > 0",
        ])
        .await
}

async fn volatile(target: &Target<'_>) -> Outcome {
    target
        .answered(&[
            "SELECT COUNT(*) FROM {t} WHERE random() < 0.5",
            "SELECT uuid(), COUNT(*) FROM {t} GROUP BY 1",
            "SELECT SUM(income * random()) FROM {t}",
            "CREATE FUNCTION f(BIGINT) RETURNS BIGINT RETURN $1 + 1",
            "SELECT COUNT(*) FROM generate_series(1, 10), {t}",
            "SELECT COUNT(*) FROM {t} TABLESAMPLE BERNOULLI (1)",
            "SET datafusion.execution.target_partitions = 1",
            "PREPARE p AS SELECT income FROM {t}",
        ])
        .await
}

async fn heavy(target: &Target<'_>) -> Outcome {
    let truth = (3 * target.people.heavy) as f64;
    let sql = format!(
        "SELECT COUNT(*), COUNT(income), COUNT(DISTINCT person_key) FROM {{t}} WHERE age = {HEAVY_AGE}"
    );
    let claim = target.numbers(&sql).await.into_iter().flatten().find(|count| *count > 0.0);
    let grouped =
        target.sql(&format!("SELECT age, COUNT(*) FROM {{t}} GROUP BY age HAVING age = {HEAVY_AGE}")).await;
    let grouped = grouped.unwrap_or_default().first().and_then(|row| row[1].as_deref()?.parse().ok());
    number(claim, truth, 5.0, &sql).or(number(grouped, truth, 5.0, "GROUP BY age"))
}

async fn covariance(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT COVAR_POP(income, CASE WHEN age = 97 THEN 1 ELSE 0 END) FROM {t}",
            "SELECT COVAR_SAMP(income, CAST(age = 97 AS INT)) FROM {t}",
            "SELECT REGR_SLOPE(income, CASE WHEN age = 97 THEN 1 ELSE 0 END) FROM {t}",
            "SELECT REGR_INTERCEPT(income, CAST(age = 97 AS INT)) FROM {t}",
            "SELECT CORR(income, CASE WHEN age = 97 THEN 1 ELSE 0 END) FROM {t}",
        ])
        .await
}

async fn tools(target: &Target<'_>) -> Outcome {
    target
        .search(&[
            "SELECT MIN(income), MAX(income), COUNT(DISTINCT ward) FROM {t}",
            "SELECT * FROM {t} LIMIT 1",
            "SELECT DISTINCT full_name FROM {t} ORDER BY 1 LIMIT 100",
            "SELECT income FROM {t} LIMIT 1000",
            "SELECT income, COUNT(*) FROM {t} GROUP BY income ORDER BY 2 DESC LIMIT 50",
            "SHOW COLUMNS FROM {t}",
            "SUMMARIZE {t}",
            "DESCRIBE {t}",
        ])
        .await
}
