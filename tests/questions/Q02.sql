-- Q02 [cross-node distinct persons] How many different people slept rough across London that quarter - each counted once, however many boroughs saw them?
SELECT COUNT(DISTINCT person_key) AS people_london, COUNT(*) AS contacts
FROM rough_sleeping_contact
WHERE contact_date >= DATE '2025-10-01' AND contact_date < DATE '2026-01-01';
