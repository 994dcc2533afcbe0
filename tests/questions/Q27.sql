-- Q27 [neighbours, inequality join on time] After a river-level alarm (level above 2.5 m) in one borough, how many flood reports came from that borough and from its neighbours within 12 hours?
SELECT a.borough_gss AS alarm_in, CASE WHEN f.borough_gss = a.borough_gss THEN 'same' ELSE 'neighbour' END AS where_reported,
       COUNT(DISTINCT f.report_id) AS reports, SUM(f.properties_affected) AS properties
FROM (SELECT borough_gss, MIN(ts) AS alarm_ts FROM env_reading WHERE measure = 'river_level' AND value > 2.5 GROUP BY borough_gss, CAST(ts AS DATE)) a
JOIN (SELECT gss_a, gss_b FROM ref_neighbour UNION ALL SELECT gss, gss FROM ref_borough) nb ON nb.gss_a = a.borough_gss
JOIN flood_report f ON f.borough_gss = nb.gss_b AND f.reported_at >= a.alarm_ts AND f.reported_at < a.alarm_ts + INTERVAL '12 hours'
GROUP BY a.borough_gss, CASE WHEN f.borough_gss = a.borough_gss THEN 'same' ELSE 'neighbour' END ORDER BY 1, 2;
