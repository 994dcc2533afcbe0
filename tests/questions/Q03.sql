-- Q03 [rate per 10,000 with a public table] Which boroughs have the highest rough sleeping rate per 10,000 residents?
SELECT b.name, COUNT(DISTINCT r.person_key) AS people, b.population,
       ROUND(10000.0 * COUNT(DISTINCT r.person_key) / b.population, 2) AS per_10k
FROM rough_sleeping_contact r JOIN ref_borough b ON b.gss = r.borough_gss
WHERE r.contact_date >= DATE '2025-01-01' AND r.contact_date < DATE '2026-01-01'
GROUP BY b.name, b.population ORDER BY per_10k DESC, b.name LIMIT 10;
