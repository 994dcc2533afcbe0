-- Q19 [time bucket] Mean temperature and humidity by hour of day and room across all monitored homes in January
SELECT s.room, EXTRACT(HOUR FROM r.ts) AS hour, COUNT(DISTINCT s.uprn_key) AS homes, AVG(r.temp_c) AS temp_c, AVG(r.rh_pct) AS rh_pct
FROM sensor_reading r JOIN sensor s ON s.node = r.node AND s.sensor_id = r.sensor_id
WHERE r.ts >= TIMESTAMP '2026-01-01' AND r.ts < TIMESTAMP '2026-02-01'
GROUP BY s.room, EXTRACT(HOUR FROM r.ts) ORDER BY 1, 2;
