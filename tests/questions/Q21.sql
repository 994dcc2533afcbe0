-- Q21 [physics in SQL: dew point and surface RH] Homes whose estimated cold-wall surface RH (fRsi 0.65, outdoor temp from the same borough) exceeded 80% on 6+ of 30 days, by wall type
SELECT p.wall_type, COUNT(*) AS homes, SUM(CASE WHEN d.bad_days >= 6 THEN 1 ELSE 0 END) AS at_risk
FROM (SELECT node, uprn_key, SUM(CASE WHEN surf_rh > 80 THEN 1 ELSE 0 END) AS bad_days
      FROM (SELECT x.node, s.uprn_key, x.day,
                   MAX(100.0 * x.rh / 100.0 * EXP(17.269 * x.t / (237.3 + x.t))
                       / EXP(17.269 * (o.t_out + 0.65 * (x.t - o.t_out)) / (237.3 + o.t_out + 0.65 * (x.t - o.t_out)))) AS surf_rh
            FROM (SELECT node, sensor_id, borough_gss, CAST(ts AS DATE) AS day, AVG(temp_c) AS t, AVG(rh_pct) AS rh
                  FROM sensor_reading GROUP BY node, sensor_id, borough_gss, CAST(ts AS DATE)) x
            JOIN sensor s ON s.node = x.node AND s.sensor_id = x.sensor_id
            JOIN (SELECT borough_gss, CAST(ts AS DATE) AS day, AVG(value) AS t_out FROM env_reading WHERE measure = 'temp_out' GROUP BY borough_gss, CAST(ts AS DATE)) o
              ON o.borough_gss = x.borough_gss AND o.day = x.day
            GROUP BY x.node, s.uprn_key, x.day) y
      GROUP BY node, uprn_key) d
JOIN property p ON p.node = d.node AND p.uprn_key = d.uprn_key
GROUP BY p.wall_type ORDER BY p.wall_type;
