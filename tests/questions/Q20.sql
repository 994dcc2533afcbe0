-- Q20 [threshold share] Percentage of hours above 70% and 80% RH per borough, and homes with a 7-day mean above 70%
SELECT borough_gss, COUNT(*) AS hours,
       ROUND(CAST(100.0 * AVG(CASE WHEN rh > 70 THEN 1.0 ELSE 0.0 END) AS NUMERIC), 1) AS pct_hours_over_70,
       ROUND(CAST(100.0 * AVG(CASE WHEN rh > 80 THEN 1.0 ELSE 0.0 END) AS NUMERIC), 1) AS pct_hours_over_80
FROM (SELECT borough_gss, sensor_id, date_trunc('hour', ts) AS h, AVG(rh_pct) AS rh FROM sensor_reading GROUP BY borough_gss, sensor_id, date_trunc('hour', ts)) x
GROUP BY borough_gss ORDER BY pct_hours_over_70 DESC, borough_gss;
