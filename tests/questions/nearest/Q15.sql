-- nearest to Q15: the same of children who live and learn in one borough
SELECT b.home_gss, COUNT(*) AS entitled_not_claiming
FROM benefit_child b JOIN school_census_pupil p ON p.node = b.node AND p.child_key = b.child_key
WHERE b.fsm_entitled AND NOT p.fsm_claimed
  AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
GROUP BY b.home_gss ORDER BY 1;
