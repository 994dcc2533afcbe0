-- Q26 [annual mean + rank + data capture] Annual mean NO2 per borough at roadside sites, ranked, only where data capture is at least 75%
SELECT borough_gss, yr, mean_no2, RANK() OVER (PARTITION BY yr ORDER BY mean_no2 DESC) AS rk
FROM (SELECT r.borough_gss, EXTRACT(YEAR FROM r.ts) AS yr, AVG(r.value) AS mean_no2, COUNT(*) AS n, COUNT(DISTINCT r.site_code) AS sites
      FROM env_reading r JOIN env_site s ON s.site_code = r.site_code
      WHERE r.measure = 'NO2' AND s.site_type IN ('Roadside','Kerbside')
      GROUP BY r.borough_gss, EXTRACT(YEAR FROM r.ts)) t
WHERE n >= 0.75 * 8760 * sites ORDER BY yr, rk, borough_gss;
