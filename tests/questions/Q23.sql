-- Q23 [SLA] Awaab's Law: share of damp reports investigated within 14 calendar days (about 10 working days), and median days to make safe, by borough and severity
SELECT borough_gss, severity, COUNT(*) AS reports,
       ROUND(100.0 * SUM(CASE WHEN investigated_on IS NOT NULL AND investigated_on - reported_on <= 14 THEN 1 ELSE 0 END) / COUNT(*), 1) AS pct_in_time,
       PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY made_safe_on - reported_on) AS median_days_to_safe
FROM damp_case WHERE reported_on >= DATE '2025-10-27'
GROUP BY borough_gss, severity HAVING COUNT(*) >= 10 ORDER BY 1, 2;
