-- nearest to Q16: take-up of children who live and learn in one borough
SELECT b.home_gss, COUNT(*) AS entitled, SUM(CASE WHEN p.fsm_claimed THEN 1 ELSE 0 END) AS claiming,
       ROUND(100.0 * SUM(CASE WHEN p.fsm_claimed THEN 1 ELSE 0 END) / COUNT(*), 1) AS take_up_pct
FROM benefit_child b JOIN school_census_pupil p ON p.node = b.node AND p.child_key = b.child_key
WHERE b.fsm_entitled AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
GROUP BY b.home_gss ORDER BY 1;
