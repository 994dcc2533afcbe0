-- Q28 [correlation from sufficient statistics] Correlation of hourly traffic flow with NO2, per borough
SELECT t.borough_gss, COUNT(*) AS hours, CORR(t.v, n.v) AS r
FROM (SELECT borough_gss, date_trunc('hour', ts) AS h, AVG(value) AS v FROM env_reading WHERE measure = 'traffic_flow' GROUP BY borough_gss, date_trunc('hour', ts)) t
JOIN (SELECT borough_gss, date_trunc('hour', ts) AS h, AVG(value) AS v FROM env_reading WHERE measure = 'NO2' GROUP BY borough_gss, date_trunc('hour', ts)) n
  ON n.borough_gss = t.borough_gss AND n.h = t.h
GROUP BY t.borough_gss HAVING COUNT(*) >= 24 ORDER BY r DESC, 1;
