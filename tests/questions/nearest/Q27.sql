-- nearest to Q27: reports that follow an alarm, counted once for each alarm
SELECT a.borough_gss AS alarm_in, CASE WHEN f.borough_gss = a.borough_gss THEN 'same' ELSE 'neighbour' END AS where_reported,
       COUNT(*) AS reports, SUM(f.properties_affected) AS properties
FROM (SELECT borough_gss, MIN(ts) AS alarm_ts FROM env_reading WHERE measure = 'river_level' AND value > 1.0 GROUP BY borough_gss, CAST(ts AS DATE)) a
JOIN (SELECT gss_a, gss_b FROM ref_neighbour UNION ALL SELECT gss, gss AS same FROM ref_borough) nb ON nb.gss_a = a.borough_gss
JOIN flood_report f ON f.borough_gss = nb.gss_b AND f.reported_at >= a.alarm_ts AND f.reported_at < a.alarm_ts + INTERVAL '12 hours'
GROUP BY a.borough_gss, CASE WHEN f.borough_gss = a.borough_gss THEN 'same' ELSE 'neighbour' END ORDER BY 1, 2;
