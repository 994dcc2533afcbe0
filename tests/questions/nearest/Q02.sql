-- nearest to Q02: the people of each borough, each counted once there
SELECT node, COUNT(DISTINCT person_key) AS people, COUNT(*) AS contacts
FROM rough_sleeping_contact
WHERE contact_date >= DATE '2025-10-01' AND contact_date < DATE '2026-01-01'
GROUP BY node ORDER BY node;
