-- Q01 [simple count by borough] How many people were seen sleeping rough in each borough in Oct-Dec 2025?
SELECT borough_gss, COUNT(DISTINCT person_key) AS people
FROM rough_sleeping_contact
WHERE contact_date >= DATE '2025-10-01' AND contact_date < DATE '2026-01-01'
GROUP BY borough_gss ORDER BY people DESC, borough_gss;
