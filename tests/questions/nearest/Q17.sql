-- nearest to Q17: entitled children who are on no roll of their own borough
SELECT b.home_gss, COUNT(*) AS entitled_children_on_no_roll_of_their_borough
FROM benefit_child b
WHERE b.fsm_entitled AND b.as_of = DATE '2026-01-01'
  AND NOT EXISTS (SELECT 1 FROM school_census_pupil p
                  WHERE p.node = b.node AND p.child_key = b.child_key AND p.census_date = DATE '2026-01-15')
GROUP BY b.home_gss ORDER BY 1;
