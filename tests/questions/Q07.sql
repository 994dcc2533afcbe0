-- Q07 [return to the streets] By hostel move-on reason, how many people were seen rough sleeping again (in any borough) within 180 days of leaving?
SELECT s.move_on, COUNT(DISTINCT s.person_key) AS left_accommodation,
       COUNT(DISTINCT CASE WHEN r.person_key IS NOT NULL THEN s.person_key END) AS back_on_streets
FROM accommodation_stay s
LEFT JOIN rough_sleeping_contact r ON r.person_key = s.person_key
     AND r.contact_date > s.end_date AND r.contact_date <= s.end_date + INTERVAL '180 days'
WHERE s.end_date IS NOT NULL
GROUP BY s.move_on HAVING COUNT(DISTINCT s.person_key) >= 10 ORDER BY left_accommodation DESC, s.move_on;
