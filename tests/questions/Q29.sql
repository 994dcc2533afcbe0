-- Q29 [CTE, three sources] Boroughs in the worst quarter of London on all three: rough sleeping rate, temporary pressure (relief duties per 1,000 households) and damp reports per 1,000 households
WITH rs AS (SELECT borough_gss, COUNT(DISTINCT person_key) AS n FROM rough_sleeping_contact WHERE contact_date >= DATE '2025-01-01' GROUP BY borough_gss),
     hc AS (SELECT borough_gss, COUNT(*) AS n FROM homelessness_case WHERE duty = 'relief' AND application_date >= DATE '2025-01-01' GROUP BY borough_gss),
     dc AS (SELECT borough_gss, COUNT(*) AS n FROM damp_case WHERE reported_on >= DATE '2025-01-01' GROUP BY borough_gss),
     m AS (SELECT b.gss, b.name, 10000.0 * COALESCE(rs.n,0) / b.population AS rs_rate, 1000.0 * COALESCE(hc.n,0) / b.households AS hc_rate, 1000.0 * COALESCE(dc.n,0) / b.households AS dc_rate
           FROM ref_borough b LEFT JOIN rs ON rs.borough_gss = b.gss LEFT JOIN hc ON hc.borough_gss = b.gss LEFT JOIN dc ON dc.borough_gss = b.gss),
     k AS (SELECT gss, name, rs_rate, hc_rate, dc_rate, NTILE(4) OVER (ORDER BY rs_rate DESC, gss) AS q1, NTILE(4) OVER (ORDER BY hc_rate DESC, gss) AS q2, NTILE(4) OVER (ORDER BY dc_rate DESC, gss) AS q3 FROM m)
SELECT name, q1, q2, q3 FROM k WHERE q1 = 1 AND (q2 = 1 OR q3 = 1) ORDER BY name;
