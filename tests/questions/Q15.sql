-- Q15 [cross-borough join on a hashed key] FSM gap: children whose home borough's benefits data says entitled but whose school (in another borough) records no claim - counts by home/school pair
SELECT b.home_gss, p.school_gss, COUNT(*) AS entitled_not_claiming
FROM benefit_child b JOIN school_census_pupil p ON p.child_key = b.child_key
WHERE b.fsm_entitled AND NOT p.fsm_claimed AND p.school_gss <> b.home_gss
  AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
GROUP BY b.home_gss, p.school_gss HAVING COUNT(*) >= 10 ORDER BY entitled_not_claiming DESC, 1, 2;
