-- nearest to Q07: who left each charity's accommodation, without what became of them
SELECT node, move_on, COUNT(DISTINCT person_key) AS left_accommodation
FROM accommodation_stay WHERE end_date IS NOT NULL
GROUP BY node, move_on ORDER BY node, move_on;
