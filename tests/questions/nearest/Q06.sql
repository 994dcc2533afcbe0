-- nearest to Q06: those who had approached the borough that then saw them
SELECT COUNT(*) AS had_prior_case
FROM (SELECT node, person_key, MIN(contact_date) AS first_seen
      FROM rough_sleeping_contact WHERE category = 'new' GROUP BY node, person_key) n
WHERE EXISTS (SELECT 1 FROM homelessness_case h WHERE h.node = n.node AND h.person_key = n.person_key
                AND h.application_date < n.first_seen AND h.application_date >= n.first_seen - INTERVAL '365 days');
