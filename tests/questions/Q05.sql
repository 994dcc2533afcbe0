-- Q05 [movement: distinct of distinct] How many people were seen in 1, 2, 3+ different boroughs in the year?
SELECT CASE WHEN n_boroughs >= 3 THEN '3+' ELSE CAST(n_boroughs AS VARCHAR) END AS boroughs_seen_in, COUNT(*) AS people
FROM (SELECT person_key, COUNT(DISTINCT borough_gss) AS n_boroughs
      FROM rough_sleeping_contact
      WHERE contact_date >= DATE '2025-01-01' AND contact_date < DATE '2026-01-01'
      GROUP BY person_key) t
GROUP BY 1 ORDER BY 1;
