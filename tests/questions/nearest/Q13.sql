-- nearest to Q13: of people first seen in a borough in 2024, how many were seen there again
SELECT r.node, date_trunc('quarter', r.contact_date) AS quarter, COUNT(DISTINCT r.person_key) AS still_seen
FROM rough_sleeping_contact r
JOIN (SELECT node, person_key FROM rough_sleeping_contact GROUP BY node, person_key
      HAVING MIN(contact_date) >= DATE '2024-01-01' AND MIN(contact_date) < DATE '2025-01-01') c
  ON c.node = r.node AND c.person_key = r.person_key
GROUP BY r.node, date_trunc('quarter', r.contact_date) ORDER BY 1, 2;
