SELECT r.borough_gss AS g0, mould_index(r.temp_c, r.rh_pct, r.ts) AS p0 FROM sensor_reading AS r GROUP BY g0
