-- Q22 [percentiles by group] Median and 95th percentile of indoor RH by EPC band across all boroughs
SELECT p.epc_band, COUNT(*) AS readings,
       PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY r.rh_pct) AS median_rh, PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY r.rh_pct) AS p95_rh
FROM sensor_reading r JOIN sensor s ON s.node = r.node AND s.sensor_id = r.sensor_id
JOIN property p ON p.node = s.node AND p.uprn_key = s.uprn_key
GROUP BY p.epc_band ORDER BY p.epc_band;
