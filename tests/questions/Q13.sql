-- Q13 [cohort pathway] Of people first seen in 2024, how many were seen again in each following quarter?
SELECT date_trunc('quarter', r.contact_date) AS quarter, COUNT(DISTINCT r.person_key) AS still_seen
FROM rough_sleeping_contact r
JOIN (SELECT person_key FROM rough_sleeping_contact GROUP BY person_key
      HAVING MIN(contact_date) >= DATE '2024-01-01' AND MIN(contact_date) < DATE '2025-01-01') c ON c.person_key = r.person_key
GROUP BY date_trunc('quarter', r.contact_date) ORDER BY 1;
