-- Q24 [predictive validity] Do sensors warn early? Mean RH in the 30 days before a confirmed case against homes with no case, per built band
SELECT p.built_band, CASE WHEN d.uprn_key IS NOT NULL THEN 'confirmed case' ELSE 'no case' END AS grp,
       COUNT(DISTINCT p.uprn_key) AS homes, AVG(r.rh_pct) AS mean_rh
FROM sensor_reading r JOIN sensor s ON s.node = r.node AND s.sensor_id = r.sensor_id
JOIN property p ON p.node = s.node AND p.uprn_key = s.uprn_key
LEFT JOIN (SELECT node, uprn_key, MIN(reported_on) AS first_report FROM damp_case WHERE hazard_confirmed GROUP BY node, uprn_key) d
       ON d.node = p.node AND d.uprn_key = p.uprn_key
WHERE d.uprn_key IS NULL OR (r.ts < d.first_report AND r.ts >= d.first_report - INTERVAL '30 days')
GROUP BY p.built_band, CASE WHEN d.uprn_key IS NOT NULL THEN 'confirmed case' ELSE 'no case' END ORDER BY 1, 2;
