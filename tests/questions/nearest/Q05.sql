-- nearest to Q05: how often people were seen in one borough
SELECT CASE WHEN times >= 3 THEN '3+' ELSE CAST(times AS VARCHAR) END AS times_seen, COUNT(*) AS people
FROM (SELECT node, person_key, COUNT(*) AS times
      FROM rough_sleeping_contact
      WHERE contact_date >= DATE '2025-01-01' AND contact_date < DATE '2026-01-01'
      GROUP BY node, person_key) t
GROUP BY 1 ORDER BY 1;
