-- Q06 [cross-node semi-join] Of people newly seen sleeping rough, what share had approached ANY London borough as homeless in the 12 months before?
SELECT COUNT(*) AS new_people,
       SUM(CASE WHEN prior THEN 1 ELSE 0 END) AS had_prior_case,
       ROUND(100.0 * SUM(CASE WHEN prior THEN 1 ELSE 0 END) / NULLIF(COUNT(*),0), 1) AS pct
FROM (SELECT n.person_key,
             EXISTS (SELECT 1 FROM homelessness_case h WHERE h.person_key = n.person_key
                       AND h.application_date < n.first_seen AND h.application_date >= n.first_seen - INTERVAL '365 days') AS prior
      FROM (SELECT person_key, MIN(contact_date) AS first_seen FROM rough_sleeping_contact WHERE category = 'new' GROUP BY person_key) n) x;
