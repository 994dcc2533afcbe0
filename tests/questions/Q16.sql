-- Q16 [take-up rate across the join] FSM take-up: same-borough pupils vs cross-border pupils, per home borough
SELECT b.home_gss, CASE WHEN p.school_gss = b.home_gss THEN 'same borough' ELSE 'cross-border' END AS kind,
       COUNT(*) AS entitled, SUM(CASE WHEN p.fsm_claimed THEN 1 ELSE 0 END) AS claiming,
       ROUND(100.0 * SUM(CASE WHEN p.fsm_claimed THEN 1 ELSE 0 END) / COUNT(*), 1) AS take_up_pct
FROM benefit_child b JOIN school_census_pupil p ON p.child_key = b.child_key
WHERE b.fsm_entitled AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
GROUP BY b.home_gss, CASE WHEN p.school_gss = b.home_gss THEN 'same borough' ELSE 'cross-border' END ORDER BY 1, 2;
