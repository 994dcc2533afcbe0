-- Q25 [exceedance days] Days on which the 24-hour mean PM10 exceeded 50 ug/m3, per site and year, with sites over the limit of 35
SELECT borough_gss, site_code, yr, exceed_days, CASE WHEN exceed_days > 35 THEN 'over' ELSE 'ok' END AS status
FROM (SELECT borough_gss, site_code, EXTRACT(YEAR FROM day) AS yr, SUM(CASE WHEN m > 50 AND n >= 18 THEN 1 ELSE 0 END) AS exceed_days
      FROM (SELECT borough_gss, site_code, CAST(ts AS DATE) AS day, AVG(value) AS m, COUNT(*) AS n
            FROM env_reading WHERE measure = 'PM10' GROUP BY borough_gss, site_code, CAST(ts AS DATE)) d
      GROUP BY borough_gss, site_code, EXTRACT(YEAR FROM day)) y
ORDER BY exceed_days DESC, site_code, yr;
