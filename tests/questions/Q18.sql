-- Q18 [money, scalar over a join] Pupil premium left unclaimed: primary 1,515 pounds, secondary 1,075 pounds (parameters), London total by phase
SELECT s.phase, COUNT(*) AS children, SUM(CASE WHEN s.phase = 'Primary' THEN 1515 ELSE 1075 END) AS pounds
FROM benefit_child b JOIN school_census_pupil p ON p.child_key = b.child_key JOIN ref_school s ON s.urn = p.school_urn
WHERE b.fsm_entitled AND NOT p.fsm_claimed AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
GROUP BY s.phase ORDER BY s.phase;
