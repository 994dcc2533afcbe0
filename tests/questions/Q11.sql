-- Q11 [median + percentile of durations] How many days does a relief duty last: median and 90th percentile, by borough?
SELECT borough_gss, COUNT(*) AS ended,
       PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY duty_end_date - application_date) AS median_days,
       PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY duty_end_date - application_date) AS p90_days
FROM homelessness_case WHERE duty = 'relief' AND duty_end_date IS NOT NULL
GROUP BY borough_gss HAVING COUNT(*) >= 10 ORDER BY median_days DESC, borough_gss;
