-- Q17 [anti-join] How many entitled children are not found on any London school roll, per home borough?
SELECT b.home_gss, COUNT(*) AS entitled_children_not_on_a_london_roll
FROM benefit_child b
WHERE b.fsm_entitled AND b.as_of = DATE '2026-01-01'
  AND NOT EXISTS (SELECT 1 FROM school_census_pupil p WHERE p.child_key = b.child_key AND p.census_date = DATE '2026-01-15')
GROUP BY b.home_gss ORDER BY 1;
