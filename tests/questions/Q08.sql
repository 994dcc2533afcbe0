-- Q08 [year on year, window over aggregates] Quarterly prevention and relief duties per borough with change on the same quarter a year earlier
SELECT borough_gss, quarter, duty, cases,
       cases - LAG(cases, 4) OVER (PARTITION BY borough_gss, duty ORDER BY quarter) AS change_on_year,
       ROUND(100.0 * (cases - LAG(cases, 4) OVER (PARTITION BY borough_gss, duty ORDER BY quarter))
             / NULLIF(LAG(cases, 4) OVER (PARTITION BY borough_gss, duty ORDER BY quarter), 0), 1) AS pct_on_year
FROM (SELECT borough_gss, date_trunc('quarter', application_date) AS quarter, duty, COUNT(*) AS cases
      FROM homelessness_case GROUP BY borough_gss, date_trunc('quarter', application_date), duty) q
ORDER BY borough_gss, duty, quarter;
